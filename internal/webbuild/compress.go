package webbuild

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/andybalholm/brotli"
	"golang.org/x/sync/errgroup"
)

// coder is one way to compress a file, as well as it can.
type coder struct {
	ext   string
	write func(io.Writer) io.WriteCloser
	read  func(io.Reader) (io.Reader, error)
}

var coders = []coder{
	{".br", func(w io.Writer) io.WriteCloser {
		return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 24})
	}, func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }},
	{".gz", func(w io.Writer) io.WriteCloser {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			panic("bug: " + err.Error())
		}
		return z
	}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
}

// Compress puts NAME.br and NAME.gz beside each file NAME in dir, unless that
// saves less than a tenth. The core takes 20 s, so what is there already and holds
// the same stays.
func Compress(dir string) error {
	names, err := plainFiles(dir)
	if err != nil {
		return err
	}
	var g errgroup.Group
	for _, name := range names {
		for _, c := range coders {
			g.Go(func() error { return c.compress(filepath.Join(dir, name)) })
		}
	}
	return g.Wait()
}

func (c coder) compress(path string) error {
	plain, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if c.holds(path+c.ext, plain) {
		return nil
	}
	var b bytes.Buffer
	w := c.write(&b)
	if _, err := w.Write(plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if b.Len() > len(plain)*9/10 {
		return os.RemoveAll(path + c.ext)
	}
	return os.WriteFile(path+c.ext, b.Bytes(), 0o644)
}

// holds reports whether the file at path is plain, compressed.
func (c coder) holds(path string, plain []byte) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	r, err := c.read(f)
	if err != nil {
		return false
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(len(plain))+1))
	return err == nil && bytes.Equal(got, plain)
}

// Pack makes out/embed of out/app and out/hashes.json. A file that is compressed
// is there only so: a web server can expand it for the few that want it plain.
// The rest of out/embed, the page of a kr-relay without the app, stays.
func Pack(out string) error {
	app, to := filepath.Join(out, "app"), filepath.Join(out, "embed", "app")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	names, err := plainFiles(app)
	if err != nil {
		return err
	}
	for _, name := range names {
		files := []string{name}
		if _, err := os.Stat(filepath.Join(app, name+".gz")); err == nil {
			files = []string{name + ".gz", name + ".br"}
		}
		for _, f := range files {
			if err := copyFile(filepath.Join(app, f), filepath.Join(to, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return copyFile(filepath.Join(out, "hashes.json"), filepath.Join(out, "embed", "hashes.json"))
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// plainFiles lists the files in dir that are not compressed.
func plainFiles(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".br") && !strings.HasSuffix(e.Name(), ".gz") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
