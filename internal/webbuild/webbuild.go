// Package webbuild builds the web app with Go alone: the phone core as
// WebAssembly by the go command, and TypeScript by esbuild, which is a library
// here. It checks no types; that is what tsc in web/package.json is for.
//
// Output, in one directory:
//
//	phone.wasm       the core, cmd/phone-wasm
//	qr.wasm          the reader of QR codes, cmd/qr-wasm
//	node/phone.mjs   the phone without a page, for tests in Node
//	app/             what a web server serves, see [App]
//	hashes.json      {"path in app": "SHA-256 of the file, in hex"}, sorted
//	embed/           what package web embeds, see [Pack]
//
// The same sources and the same Go give the same app, wherever they are.
package webbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Build builds the module at root into the directory out, which it makes. It
// compresses nothing, so that tests are fast: that is what Compress is for.
func Build(root, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"phone", "qr"} {
		if err := buildWasm(root, "./cmd/"+name+"-wasm", filepath.Join(out, name+".wasm")); err != nil {
			return err
		}
	}
	if err := Bundle(root, "web/node/phone.ts", filepath.Join(out, "node", "phone.mjs")); err != nil {
		return err
	}
	return App(root, out)
}

// Release is Build, and compresses the app and packs it for package web.
func Release(root, out string) error {
	if err := Build(root, out); err != nil {
		return err
	}
	if err := Compress(filepath.Join(out, "app")); err != nil {
		return err
	}
	return Pack(out)
}

// small are the flags that make the core 9 % smaller: without inlining, except
// in what does arithmetic. By brotli, and in Node 20 for a signature with its
// check, a box with its key agreement, a request with its card, and a decision
// with its answer (each of them reads the phone anew from its records):
//
//	all inlined            1,365,906 bytes   0.55 ms   1.0 ms   3.7 ms    7.2 ms
//	nothing inlined        1,230,443 bytes   2.0 ms    3.8 ms   9.3 ms   18.3 ms
//	these packages inlined 1,240,039 bytes   0.57 ms   1.0 ms   5.6 ms    9.7 ms
var small = []string{
	"-gcflags=all=-l",
	"-gcflags=math/bits=",
	"-gcflags=internal/byteorder=",
	"-gcflags=crypto/internal/fips140deps/byteorder=",
	"-gcflags=crypto/internal/fips140/edwards25519/...=",
	"-gcflags=crypto/internal/fips140/sha256=",
	"-gcflags=crypto/internal/fips140/sha512=",
	"-gcflags=golang.org/x/crypto/...=",
}

func buildWasm(root, program, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	// Without the commit, so that hashes tell the sources and nothing else. Without
	// jsonv2, which is behind encoding/json from Go 1.27 on: 138,000 bytes more by brotli.
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to}, small...)
	cmd := exec.Command("go", append(args, program)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=", "GOWASM=", "GOEXPERIMENT=nojsonv2")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, said)
	}
	return nil
}

// Bundle makes one file for Node of entry, a path below root, and of all that it
// imports.
func Bundle(root, entry, outfile string) error {
	_, err := bundle(root, api.BuildOptions{
		EntryPoints: []string{entry},
		Outfile:     outfile,
		Write:       true,
		Platform:    api.PlatformNode,
	})
	return err
}

// bundle runs esbuild in root. Its errors name their place.
func bundle(root string, o api.BuildOptions) ([]api.OutputFile, error) {
	cmd := exec.Command("go", "env", "GOROOT")
	cmd.Dir = root
	goroot, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find wasm_exec.js: %w", err)
	}
	if o.AbsWorkingDir, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	if o.Outfile, err = filepath.Abs(o.Outfile); err != nil { // a relative one is ours, not root's
		return nil, err
	}
	o.Alias = map[string]string{"wasm_exec": filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js")}
	o.Bundle = true
	if o.Format == api.FormatDefault {
		o.Format = api.FormatESModule
	}
	o.Target = api.ES2022
	o.LogLevel = api.LogLevelSilent
	result := api.Build(o)
	var errs []error
	for _, m := range result.Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
		}
		errs = append(errs, fmt.Errorf("%s%s", where, m.Text))
	}
	return result.OutputFiles, errors.Join(errs...)
}
