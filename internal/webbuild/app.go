package webbuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Browsers whose CSS is written; JavaScript is ES2022.
var engines = []api.Engine{
	{Name: api.EngineIOS, Version: "16.4"},
	{Name: api.EngineSafari, Version: "16.4"},
	{Name: api.EngineChrome, Version: "111"},
	{Name: api.EngineFirefox, Version: "115"},
}

// icons are committed: web/src/icons/icon.svg and maskable.svg, drawn.
var icons = []string{"icon.svg", "icon-192.png", "icon-512.png", "maskable-512.png", "apple-180.png"}

// App makes out/app and out/hashes.json of the sources below root, and of
// phone.wasm and qr.wasm in out:
//
//	index.html               web/src/index.html with the names of the others
//	manifest.webmanifest     web/src/manifest.webmanifest, as well
//	app-HASH.js              web/src/main.ts and all it imports, wasm_exec.js
//	                         included; PHONE_WASM, QR_WASM, BLUETOOTH and ICON
//	                         are the paths of files below
//	bluetooth-HASH.js        web/src/ble/radio.ts and all it imports, a module
//	sw-HASH.js               web/sw/sw.ts, the service worker: FILES are the
//	                         paths and hashes of all files but it and build.json,
//	                         so that its hash is the build's
//	build.json               web/src/build.json with its name
//	app-HASH.css             web/src/shell.css and all it imports
//	phone-HASH.wasm          the core
//	qr-HASH.wasm             the reader of QR codes
//	icon-…-HASH.png, .svg    web/src/icons
//
// HASH is 16 hex digits of the file's SHA-256, so that a name never has other
// bytes. What else is in out/app is removed.
func App(root, out string) error {
	s := &site{dir: filepath.Join(out, "app"), hashes: map[string]string{}}
	src := filepath.Join(root, "web", "src")
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"phone.wasm", "qr.wasm"} {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return err
		}
		if err := s.hashed(name, b); err != nil {
			return err
		}
	}
	for _, name := range icons {
		b, err := os.ReadFile(filepath.Join(src, "icons", name))
		if err != nil {
			return err
		}
		if err := s.hashed(name, b); err != nil {
			return err
		}
	}
	defines := map[string]string{}
	for name, file := range map[string]string{"PHONE_WASM": "phone.wasm", "QR_WASM": "qr.wasm", "ICON": "icon-192.png"} {
		defines[name] = quoted("/" + s.names[file])
	}
	bundled := func(o api.BuildOptions) error {
		o.Platform, o.LegalComments = api.PlatformBrowser, api.LegalCommentsNone
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
		name := o.Outfile
		files, err := bundle(root, o)
		if err != nil {
			return err
		}
		if len(files) != 1 {
			return fmt.Errorf("%s is in %d files, want one", name, len(files))
		}
		return s.hashed(name, files[0].Contents)
	}
	page := func(name string) error {
		b, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return err
		}
		return s.plain(name, s.named(b))
	}
	// Each has the hashes of those before it.
	for _, make := range []func() error{
		func() error {
			return bundled(api.BuildOptions{EntryPoints: []string{"web/src/ble/radio.ts"}, Outfile: "bluetooth.js"})
		},
		func() error {
			defines["BLUETOOTH"] = quoted("/" + s.names["bluetooth.js"])
			return bundled(api.BuildOptions{EntryPoints: []string{"web/src/main.ts"}, Outfile: "app.js", Define: defines, External: []string{"/bluetooth-*"}})
		},
		func() error {
			return bundled(api.BuildOptions{EntryPoints: []string{"web/src/shell.css"}, Outfile: "app.css", Engines: engines})
		},
		func() error { return page("manifest.webmanifest") },
		func() error { return page("index.html") },
		func() (err error) {
			if defines["FILES"], err = s.integrity(); err != nil {
				return err
			}
			// No module: without a scope of its own, a short name could be "Go", and take the place of wasm_exec's.
			return bundled(api.BuildOptions{EntryPoints: []string{"web/sw/sw.ts"}, Outfile: "sw.js", Define: defines, Format: api.FormatIIFE})
		},
		func() error { return page("build.json") },
	} {
		if err := make(); err != nil {
			return err
		}
	}
	s.used["qr.wasm"], s.used["bluetooth.js"] = true, true // by the script
	for name := range s.names {
		if !s.used[name] {
			return fmt.Errorf("no page in web/src has %s", quoted("/"+name))
		}
	}
	if err := s.clean(); err != nil {
		return err
	}
	return writeJSON(filepath.Join(out, "hashes.json"), s.hashes)
}

// site is out/app while it is made.
type site struct {
	dir    string
	names  map[string]string // with their hash
	used   map[string]bool   // by a page
	hashes map[string]string
}

func (s *site) hashed(name string, b []byte) error {
	sum := sha256.Sum256(b)
	ext := path.Ext(name)
	full := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:8]) + ext
	if s.names == nil {
		s.names, s.used = map[string]string{}, map[string]bool{}
	}
	s.names[name] = full
	return s.write(full, b)
}

// plain writes a file whose name stays; what is compressed of it is old.
func (s *site) plain(name string, b []byte) error {
	for _, c := range coders {
		if err := os.RemoveAll(filepath.Join(s.dir, name+c.ext)); err != nil {
			return err
		}
	}
	return s.write(name, b)
}

func (s *site) write(name string, b []byte) error {
	sum := sha256.Sum256(b)
	s.hashes[name] = hex.EncodeToString(sum[:])
	return os.WriteFile(filepath.Join(s.dir, name), b, 0o644)
}

// integrity is JSON: the SHA-256 of each file so far, in base64, by its path.
func (s *site) integrity() (string, error) {
	files := map[string]string{}
	for name, sum := range s.hashes {
		b, err := hex.DecodeString(sum)
		if err != nil {
			return "", err
		}
		if name == "index.html" {
			name = ""
		}
		files["/"+name] = base64.StdEncoding.EncodeToString(b)
	}
	b, err := json.Marshal(files)
	return string(b), err
}

// named puts the names with hashes into a page.
func (s *site) named(b []byte) []byte {
	for name, full := range s.names {
		from := []byte(quoted("/" + name))
		s.used[name] = s.used[name] || bytes.Contains(b, from)
		b = bytes.ReplaceAll(b, from, []byte(quoted("/"+full)))
	}
	return b
}

// clean removes what an older build left.
func (s *site) clean() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		for _, c := range coders {
			name = strings.TrimSuffix(name, c.ext)
		}
		if _, ok := s.hashes[name]; !ok {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func quoted(s string) string { return `"` + s + `"` }

// writeJSON writes v with its keys sorted.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
