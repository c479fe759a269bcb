// Package web holds the built phone app, for kr-relay to serve, and its hashes,
// for kr to check what is served. "go run ./web/build" builds it; a program that
// is built without has a page that says so, and no hashes.
//
// Who uses the hashes only does not carry the app: its bytes are in a variable
// of their own.
package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed dist/embed
var all embed.FS

//go:embed dist/embed/[hp]*
var facts embed.FS // hashes.json, where it is; the placeholder always

// App returns the files of the app as webbuild.Pack leaves them: with .br and
// .gz instead of a file that is compressed. If built is false, they are one page
// that says how to build it.
func App() (files fs.FS, built bool) {
	dir := "dist/embed/app"
	if _, err := fs.Stat(all, dir); err != nil {
		dir = "dist/embed/placeholder"
	}
	files, err := fs.Sub(all, dir)
	if err != nil {
		panic("bug: " + err.Error()) // not for a constant path
	}
	return files, dir == "dist/embed/app"
}

// Hashes returns the SHA-256, in hex, of each file of the app by its path; none
// if this program was built without the app.
func Hashes() (map[string]string, error) {
	b, err := fs.ReadFile(facts, "dist/embed/hashes.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var hashes map[string]string
	if err == nil {
		err = json.Unmarshal(b, &hashes)
	}
	if err != nil {
		return nil, fmt.Errorf("the hashes of the phone app: %w", err)
	}
	return hashes, nil
}
