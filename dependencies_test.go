package kryptonite

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var writeDependencies = flag.Bool("dependencies", false, "TestDependencies writes docs/dependencies.md")

// shipped are the programs, and the systems that they are for. The phone app is
// phone-wasm and qr-wasm, and TypeScript that imports nothing.
var shipped = []struct {
	column  string
	systems []string
	doors   []string
}{
	{"kr", []string{"linux/amd64", "darwin/arm64"}, []string{"./cmd/kr"}},
	{"krd", []string{"linux/amd64", "darwin/arm64"}, []string{"./cmd/krd"}},
	{"kr-relay", []string{"linux/amd64", "darwin/arm64"}, []string{"./cmd/kr-relay"}},
	{"kr-phone", []string{"linux/amd64", "darwin/arm64"}, []string{"./cmd/kr-phone"}},
	{"app", []string{"js/wasm"}, []string{"./cmd/phone-wasm", "./cmd/qr-wasm"}},
}

// licences are those that a program may be linked with: they ask for a notice, and
// nothing of our own code. Each is known by sentences that only it has.
var licences = []struct {
	name string
	says []string
}{
	{"Apache-2.0", []string{"Apache License Version 2.0, January 2004", "Grant of Patent License"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote products derived"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"ISC", []string{"Permission to use, copy, modify,", "distribute this software for any purpose with or without fee is hereby granted"}},
	{"MIT", []string{"Permission is hereby granted, free of charge", "to deal in the Software without restriction"}},
}

// copyleft are words of licences that ask for more.
var copyleft = []string{"GNU GENERAL PUBLIC", "GNU LESSER", "GNU AFFERO", "Mozilla Public License", "Eclipse Public", "Server Side Public", "Business Source", "Commons Clause"}

// licenceOf names the licence of a text, or "" for one that nobody has looked at.
func licenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	contains := func(s string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(s)) }
	if slices.ContainsFunc(copyleft, contains) {
		return ""
	}
	for _, l := range licences {
		if !slices.ContainsFunc(l.says, func(s string) bool { return !contains(s) }) {
			return l.name
		}
	}
	return ""
}

func TestLicenceOf(t *testing.T) {
	own, err := os.ReadFile("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	const bsd = "Redistribution and use in source and binary forms, with or without modification"
	for text, want := range map[string]string{
		string(own): "Apache-2.0",
		bsd:         "BSD-2-Clause",
		bsd + "\nmay be used to endorse or promote\nproducts derived from": "BSD-3-Clause",
		bsd + "\nor under the GNU General Public License":                  "",
		"Mozilla Public License Version 2.0":                               "",
		"All rights reserved.":                                             "",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%.60q is %q, want %q", text, got, want)
		}
	}
}

type linked struct {
	Path, Version, Dir string
	Replace            *linked
	files              map[string]bool // licences above packages that are linked
}

// linkedInto returns the modules, by path, of all packages that doors need.
func linkedInto(t *testing.T, system string, doors ...string) map[string]linked {
	t.Helper()
	goos, goarch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,Module"}, doors...)...)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var why bytes.Buffer
	cmd.Stderr = &why
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list for %s: %v\n%s", system, err, &why)
	}
	modules := map[string]linked{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *linked
		}
		if err := d.Decode(&p); err == io.EOF {
			return modules
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Path+"/" == module {
			continue
		}
		if p.Module.Replace != nil {
			t.Errorf("%s is replaced by %s: the bill of materials would name what is not in it", p.Module.Path, p.Module.Replace.Path)
		}
		m, ok := modules[p.Module.Path]
		if !ok {
			m = *p.Module
			m.files = map[string]bool{}
			modules[m.Path] = m
		}
		for dir := p.Dir; strings.HasPrefix(dir, m.Dir); dir = filepath.Dir(dir) {
			names, err := filepath.Glob(filepath.Join(dir, "LICEN[CS]E*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				m.files[name] = true
			}
		}
	}
}

// licenceIn names the licences in files, or fails.
func licenceIn(t *testing.T, what string, files map[string]bool) string {
	t.Helper()
	all := map[string]bool{}
	for name := range files {
		b, err := os.ReadFile(name)
		l := licenceOf(string(b))
		if err != nil || l == "" {
			t.Errorf("%s: nobody has decided whether we may ship what is under %s (%v)", what, name, err)
		}
		all[l] = true
	}
	if len(all) == 0 {
		t.Errorf("%s has no licence", what)
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), " and ")
}

// TestDependencies: docs/dependencies.md lists each module that is linked into a
// program, all under licences that we may ship, and nothing else.
func TestDependencies(t *testing.T) {
	parseTree(t) // the test cache does not know what the go command reads
	for _, name := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	all, in := map[string]linked{}, map[string]map[string]bool{}
	for _, s := range shipped {
		in[s.column] = map[string]bool{}
		for _, system := range s.systems {
			for path, m := range linkedInto(t, system, s.doors...) {
				if old, ok := all[path]; ok {
					maps.Copy(m.files, old.files)
				}
				all[path], in[s.column][path] = m, true
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc strings.Builder
	doc.WriteString("# Dependencies\n\nWhat is linked into the programs, on Linux and macOS, and into the phone app; written by `go test . -run TestDependencies -dependencies`, and held by that\n" +
		"test: another module, version or licence fails it, and so does a licence that asks for more than a notice. `script/release` writes the same of each program as CycloneDX.\n\n| module | version | licence |")
	for _, s := range shipped {
		fmt.Fprintf(&doc, " %s |", s.column)
	}
	fmt.Fprintf(&doc, "\n|---|---|---|%s\n", strings.Repeat("---|", len(shipped)))
	row := func(path, version, licence string, is func(column string) bool) {
		fmt.Fprintf(&doc, "| %s | %s | %s |", path, version, licence)
		for _, s := range shipped {
			mark := " "
			if is(s.column) {
				mark = " x "
			}
			doc.WriteString(mark + "|")
		}
		doc.WriteString("\n")
	}
	row("Go's standard library", "of the build", licenceIn(t, "Go", map[string]bool{filepath.Join(strings.TrimSpace(string(root)), "LICENSE"): true}), func(string) bool { return true })
	for _, path := range slices.Sorted(maps.Keys(all)) {
		m := all[path]
		row(path, m.Version, licenceIn(t, path, m.files), func(column string) bool { return in[column][path] })
	}
	doc.WriteString("\nThe TypeScript of the phone app has no dependencies. npm brings checks and tests only, none of it shipped; by the lock files:\n\n| lock file | packages by licence |\n|---|---|\n")
	for _, dir := range []string{"web", "internal/transport/sqs/fauxqs"} {
		fmt.Fprintf(&doc, "| %s | %s |\n", dir, npmLicences(t, dir))
	}
	const file = "docs/dependencies.md"
	if *writeDependencies {
		if err := os.WriteFile(file, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != doc.String() {
		t.Errorf("%s is not what is linked (%v); look at what is new, then: go test . -run TestDependencies -dependencies", file, err)
	}
}

// npmLicences counts the packages of a lock file by licence.
func npmLicences(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ License string }
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for name, p := range lock.Packages {
		switch {
		case name == "": // ourselves
		case p.License == "":
			count["not named"]++
		default:
			count[p.License]++
		}
	}
	var all []string
	for _, l := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%s %d", l, count[l]))
	}
	return strings.Join(all, ", ")
}
