// Package appcheck compares the phone app that an origin serves with the hashes
// of a release.
//
// It says what the origin served to it, now. A server can serve other files to
// others, and nobody but who gets them can see that.
package appcheck

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

// MaxFile bounds a file, in bytes and expanded; the core has 7 million.
const MaxFile = 8 << 20

const fileTimeout = time.Minute

// State is what a file turned out to be.
type State string

const (
	Same      State = "same"
	Different State = "different"
	Missing   State = "missing"
	Unread    State = "unread" // no answer, or one that says nothing of the file
)

// File is one file of the release.
type File struct {
	Path    string // without the first slash; index.html is asked for as /
	State   State
	Want    string // SHA-256, in hex
	Got     string // "": not known
	Problem string // for people, of Different and Unread; nothing that the server wrote
}

// Transport is how kr reaches an origin: by the proxy of the environment.
func Transport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 20 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       time.Second,
	}
}

// Check fetches every file of hashes, SHA-256 in hex by path, from origin, which
// is canonical, and returns one File for each, sorted by path. An error means
// that nothing is known of any file: the origin did not answer, or ctx ended.
func Check(ctx context.Context, rt http.RoundTripper, origin string, hashes map[string]string) ([]File, error) {
	var files []File
	var failed error
	for _, path := range slices.Sorted(maps.Keys(hashes)) {
		f := File{Path: path, Want: hashes[path]}
		if err := f.check(ctx, rt, origin); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			f.State, f.Problem = Unread, err.Error()
			if failed == nil {
				failed = err
			}
		}
		files = append(files, f)
	}
	known := func(f File) bool { return f.State != Unread }
	if failed != nil && !slices.ContainsFunc(files, known) {
		return nil, failed
	}
	return files, nil
}

// check fetches one file. Redirects are not followed: a browser would not run
// what another origin serves.
func (f *File) check(ctx context.Context, rt http.RoundTripper, origin string) error {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	url := origin + "/" + f.Path
	if f.Path == "index.html" {
		url = origin + "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "") // none
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("fetch the app: %w", err)
	}
	defer resp.Body.Close()
	switch c := resp.StatusCode; {
	case c == http.StatusNotFound || c == http.StatusGone:
		f.State = Missing
		return nil
	case c >= 300 && c < 400:
		return errors.New("the server redirects to another address")
	case c != http.StatusOK:
		return fmt.Errorf("the server answered with status %d", c)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(resp.Body, MaxFile+1))
	if err != nil {
		return fmt.Errorf("fetch the app: %w", err)
	}
	if n > MaxFile {
		f.State, f.Problem = Different, fmt.Sprintf("it has more than %d MiB", MaxFile>>20)
		return nil
	}
	f.State, f.Got = Different, hex.EncodeToString(sum.Sum(nil))
	if f.Got == f.Want {
		f.State = Same
	}
	return nil
}
