package kryptonite

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPureStartsNothing: script/test runs what it calls pure without the race detector.
// That finds what goroutines do to each other, and neither these packages nor their
// tests start any.
func TestPureStartsNothing(t *testing.T) {
	script, err := os.ReadFile("script/test")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^pure="(.*)"$`).FindSubmatch(script)
	if list == nil {
		t.Fatal("script/test has no pure packages")
	}
	given := map[string]bool{}
	for _, dir := range strings.Fields(string(list[1])) {
		given[strings.TrimPrefix(dir, "./internal/")] = true
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			startsNothing(t, name)
		}
	}
	for _, p := range pure {
		if !given[p] {
			t.Errorf("script/test does not know that %s is pure", p)
		}
	}
}

func startsNothing(t *testing.T, name string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range f.Imports {
		if path := strings.Trim(imp.Path.Value, `"`); path == "sync" || path == "sync/atomic" {
			t.Errorf("%s imports %s: its package is not pure", name, path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s starts a goroutine: its package is not pure", name)
		case *ast.SelectorExpr:
			if n.Sel.Name == "Parallel" || n.Sel.Name == "AfterFunc" {
				t.Errorf("%s runs something beside (%s): its package is not pure", name, n.Sel.Name)
			}
		}
		return true
	})
}
