package bluetooth

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// modules of the kernel, in the order in which they can be loaded. btvirt needs
// those of AF_ALG for its ciphers.
var modules = []string{"crc16", "ecc", "rfkill", "ecdh_generic", "bluetooth", "hci_vhci",
	"cmac", "ccm", "ctr", "ecb", "af_alg", "algif_hash", "algif_skcipher"}

// fetchKernel returns a directory with the kernel that apt would install now, as
// vmlinuz, and its modules. cache keeps the last one. apt verifies what it
// downloads by the archive's signatures.
func fetchKernel(ctx context.Context, cache string) (dir string, err error) {
	depends, err := output(ctx, "", "apt-cache", "depends", "--important", "linux-image-amd64")
	if err != nil {
		return "", err
	}
	_, name, found := strings.Cut(depends, "Depends: ")
	if name, _, _ = strings.Cut(name, "\n"); !found || name == "" {
		return "", errors.New("apt knows no linux-image-amd64; run: apt-get update")
	}
	policy, err := output(ctx, "", "apt-cache", "policy", name)
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(policy, "Candidate: ")
	version, _, _ = strings.Cut(version, "\n")
	dir = filepath.Join(cache, name+"_"+strings.ReplaceAll(version, ":", "%3a"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := errors.Join(os.RemoveAll(cache), os.MkdirAll(cache, 0o700)); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(cache, "new")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	// As root apt would step down to a user who may not write here.
	if _, err := output(ctx, fresh, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name+"="+version); err != nil {
		return "", fmt.Errorf("%w; are its lists old? run: apt-get update", err)
	}
	debs, err := filepath.Glob(filepath.Join(fresh, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s: %d files, %w", name, len(debs), err)
	}
	kept := filepath.Join(fresh, "kernel")
	if err := errors.Join(os.Mkdir(kept, 0o700), unpackKernel(ctx, debs[0], kept)); err != nil {
		return "", err
	}
	return dir, os.Rename(kept, dir)
}

// unpackKernel takes what is needed of a package. It never lets dpkg write: on a
// system whose /lib is a link that has broken the link.
func unpackKernel(ctx context.Context, deb, dir string) (err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	missing := map[string]bool{"vmlinuz": true}
	for _, m := range modules {
		missing[m+".ko"] = true
	}
	files := tar.NewReader(out)
	for err == nil && len(missing) > 0 {
		var h *tar.Header
		if h, err = files.Next(); err != nil {
			break
		}
		base := path.Base(h.Name)
		if strings.HasPrefix(base, "vmlinuz-") {
			base = "vmlinuz"
		}
		if h.Typeflag == tar.TypeReg && missing[base] {
			delete(missing, base)
			err = writeFile(filepath.Join(dir, base), files)
		}
	}
	out.Close() // dpkg-deb dies of a broken pipe: the rest is not needed
	ended := cmd.Wait()
	if len(missing) > 0 {
		return fmt.Errorf("unpack %s: %w, %v, without %v", deb, err, ended, missing)
	}
	return err
}

func writeFile(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// output runs a program to its end in dir and returns what it says.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
