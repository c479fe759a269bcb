// Package webapp serves the phone app: a handful of files that never change
// while the program runs, to browsers that have been told nothing else.
//
//	/                      index.html        Cache-Control: no-cache
//	/manifest.webmanifest  by its name       no-cache
//	/build.json            by its name       no-cache
//	/NAME-16 hex.EXT       by its name       a year, immutable
//	all else               404, in plain text
//
// A file may be there as NAME, NAME.br, NAME.gz, or any of them; a client that
// takes neither encoding gets NAME.gz expanded. Each encoding has an ETag of its
// own. There are no ranges: files are small.
//
// The headers are half of the app's security: its page may run only scripts of
// its origin, talk only by TLS or to this machine, and be framed by nobody. [Policy] has them.
//
// References: [RFC 9110] HTTP, §12.5.3 Accept-Encoding, §13.1.2 If-None-Match;
// [CSP3]; [Trusted Types]; [kr-protocol] docs/protocol.md §1.
package webapp

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Policy is the Content-Security-Policy of every answer. Relays can be anywhere,
// so connections may go to any https origin, and to this machine. Amazon SQS is
// among them and adds nothing: a policy has no word for "sqs.*.amazonaws.com", only
// for all of AWS, or for each region by name. The one policy
// of Trusted Types lets the page start service workers of the app, and nothing else.
const Policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self' https: wss: http://localhost:* http://127.0.0.1:* ws://localhost:* ws://127.0.0.1:*; " +
	"manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types worker"

// permissions are what the app needs of the device; the rest is for nobody. Not
// named, and so as browsers have it: writing to the clipboard, and the sheet to
// share with, which not all of them know by name.
const permissions = "camera=(self), publickey-credentials-get=(self), publickey-credentials-create=(self), bluetooth=(self), " +
	"accelerometer=(), autoplay=(), clipboard-read=(), display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), " +
	"gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), " +
	"picture-in-picture=(), serial=(), storage-access=(), usb=(), xr-spatial-tracking=()"

// How long one file may take: the core on a line of 64 kbit/s.
const writeTimeout = 4 * time.Minute

var types = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".wasm":        "application/wasm", // else browsers do not compile while it comes
	".webmanifest": "application/manifest+json",
	".json":        "application/json",
	".svg":         "image/svg+xml",
	".png":         "image/png",
}

// immutable is what a name with its hash looks like.
var immutable = regexp.MustCompile(`-[0-9a-f]{16}\.[a-z]+$`)

// encodings, best first.
var encodings = []struct{ name, ext string }{{"br", ".br"}, {"gzip", ".gz"}, {"identity", ""}}

// body is one encoding of a file.
type body struct {
	encoding, file, etag string
	size                 int64                  // of file, in bytes
	expand               func() ([]byte, error) // file is gzip, and this is what goes out; or nil
}

// Handler serves an app. Use [New].
type Handler struct {
	files  fs.FS
	bodies map[string][]body // by path; best first, the last is identity
}

// New returns a handler for the files in the root of files, which must have an
// index.html, and only files of known types. It reads all of them once.
func New(files fs.FS) (*Handler, error) {
	h := &Handler{files: files, bodies: map[string][]body{}}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read the app: %w", err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".br"), ".gz")
		if h.bodies["/"+name] != nil {
			continue
		}
		if types[path.Ext(name)] == "" {
			return nil, fmt.Errorf("the app has a file of an unknown type: %q", e.Name())
		}
		if h.bodies["/"+name], err = h.load(name); err != nil {
			return nil, fmt.Errorf("the app's %q: %w", name, err)
		}
	}
	index, ok := h.bodies["/index.html"]
	if !ok {
		return nil, errors.New("the app has no index.html")
	}
	h.bodies["/"] = index
	return h, nil
}

// load returns the encodings of a file.
func (h *Handler) load(name string) (out []body, err error) {
	for _, enc := range encodings {
		b := body{encoding: enc.name, file: name + enc.ext}
		if _, err := fs.Stat(h.files, b.file); err != nil {
			if enc.name != "identity" {
				continue
			}
			b.file = name + ".gz"
			// Once for all: a short request must not cost as much as to expand the core.
			b.expand = sync.OnceValues(func() ([]byte, error) {
				return h.unzip(b.file, func(z *gzip.Reader) ([]byte, error) { return io.ReadAll(z) })
			})
		}
		if err := h.measure(&b); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// measure reads b's file once, for its size and ETag. Nothing is expanded for
// that, as hardly any client asks for it.
func (h *Handler) measure(b *body) error {
	f, err := h.files.Open(b.file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if b.size, err = io.Copy(sum, f); err != nil {
		return err
	}
	tag := hex.EncodeToString(sum.Sum(nil)[:16])
	if b.expand != nil {
		tag += "-expanded"
		_, err = h.unzip(b.file, func(*gzip.Reader) ([]byte, error) { return nil, nil })
	}
	b.etag = `"` + tag + `"`
	return err
}

// open returns what goes out, and its size in bytes.
func (h *Handler) open(b body) (io.ReadCloser, int64, error) {
	if b.expand == nil {
		f, err := h.files.Open(b.file)
		return f, b.size, err
	}
	plain, err := b.expand()
	return io.NopCloser(bytes.NewReader(plain)), int64(len(plain)), err
}

// unzip gives read a file that is expanded as it is read.
func (h *Handler) unzip(file string, read func(*gzip.Reader) ([]byte, error)) ([]byte, error) {
	f, err := h.files.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return read(z)
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Protect(w.Header(), r)
	bodies, ok := h.bodies[r.URL.Path]
	switch {
	case !ok:
		Fail(w, http.StatusNotFound, "not found")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		Fail(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	b, ok := choose(bodies, r.Header.Values("Accept-Encoding"))
	if !ok {
		Fail(w, http.StatusNotAcceptable, "no encoding that you take")
		return
	}
	head := w.Header()
	head.Set("Content-Type", types[path.Ext(strings.TrimSuffix(b.file, ext(b)))])
	head.Set("Vary", "Accept-Encoding")
	head.Set("ETag", b.etag)
	head.Set("Cache-Control", "no-cache")
	if immutable.MatchString(r.URL.Path) {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if matches(r.Header.Values("If-None-Match"), b.etag) {
		head.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f, size, err := h.open(b)
	if err != nil {
		Fail(w, http.StatusInternalServerError, "the file cannot be read")
		return
	}
	defer f.Close()
	if b.encoding != "identity" {
		head.Set("Content-Encoding", b.encoding)
	}
	head.Set("Content-Length", strconv.FormatInt(size, 10))
	if r.Method == http.MethodHead {
		return
	}
	// What does not know deadlines has none; who leaves gets nothing.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	_, _ = io.Copy(w, f)
}

// Protect sets the headers that every answer of the app's origin has, whatever
// it is.
func Protect(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Fail answers with one line of plain text, never input, that no cache keeps.
func Fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("ETag")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

func ext(b body) string {
	if e := path.Ext(b.file); e == ".br" || e == ".gz" {
		return e
	}
	return ""
}

// choose returns the smallest encoding that a client takes. [RFC 9110] §12.5.3
func choose(bodies []body, accept []string) (body, bool) {
	weights := map[string]float64{}
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		q := 1.0
		if key, v, ok := strings.Cut(strings.TrimSpace(params), "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
			var err error
			if q, err = strconv.ParseFloat(strings.TrimSpace(v), 64); err != nil {
				q = 0
			}
		}
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			weights[name] = q
		}
	}
	i := slices.IndexFunc(bodies, func(b body) bool {
		q, named := weights[b.encoding]
		any, all := weights["*"]
		switch {
		case named:
			return q > 0
		case all:
			return any > 0
		}
		return b.encoding == "identity"
	})
	if i < 0 {
		return body{}, false
	}
	return bodies[i], true
}

// matches reports whether one of the tags in If-None-Match is etag, weakly.
func matches(values []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
