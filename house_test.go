package kryptonite

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors lists every package under internal, from the ground up. A package
// imports only floors below its own, and its own family (packages below it or
// above it in the tree).
var floors = [][]string{
	// words: pure
	{"sealbox", "sshwire", "sshwire/passkeytest", "version", "fault", "freeport", "attacktest", "ptytest", "strangertest", "backoff", "escape"},
	{"wire"},
	// rules: pure; time is an argument
	{"pairing", "mailbox", "keystore", "keystore/keystoretest", "transport", "transport/ble/segment", "auditlog", "hostauth", "hostpattern", "knownhosts"},
	{"policy"},
	// what carriers share
	{"awsuser", "awsuser/awstest", "subprocess"},
	// doors to the world and carriers
	{"statedir", "peer", "coredump", "asker", "sshname", "gitrepo", "notify", "sshversion", "term", "sshconfig", "authorize", "upload", "desktop", "service", "control", "transport/memory", "transport/relay", "transport/ble", "transport/ble/bluez", "transport/ble/bluez/bluetest", "transport/transporttest", "transport/hostile",
		"transport/sqs", "transport/sqs/owner", "transport/sqs/sqstest", "transport/sqs/fauxqs",
		"wake/webpush", "wake/webpush/pushtest", "wake/sns", "wake/sns/owner", "wake/sns/snstest"},
	// residents
	{"session", "phone", "sshagent", "waitline", "certs", "certs/certstest", "relay", "relay/boltstore", "relay/memstore", "relay/storetest", "relay/relaytest", "webapp", "appcheck", "cmdline"},
	// programs
	{"daemon", "cli", "phoneterm", "relayd", "phonejs", "qrcode", "webbuild", "siege"},
}

// pure packages know no system, no net and no clock. version reads what the
// linker left.
var pure = []string{"sealbox", "sshwire", "wire", "pairing", "mailbox", "keystore", "auditlog", "hostauth", "hostpattern", "knownhosts", "policy", "phone", "transport/ble/segment"}

var impureImports = []string{"os", "net", "syscall", "io/fs", "runtime/debug", "golang.org/x/sys", "golang.org/x/term"}

const module = "kryptonite/"

// source is one package as the parser sees it.
type source struct {
	name    string // path below internal, or below the root
	doc     bool
	files   []*ast.File
	imports map[string]bool // without those of tests
}

func TestHouse(t *testing.T) {
	floor := map[string]int{}
	for i, f := range floors {
		for _, p := range f {
			floor[p] = i
		}
	}
	seen := map[string]bool{}
	for dir, src := range parseTree(t) {
		if !src.doc {
			t.Errorf("%s: no package comment", dir)
		}
		name, internal := strings.CutPrefix(dir, "internal/")
		if !internal {
			continue
		}
		seen[name] = true
		own, placed := floor[name]
		if !placed {
			t.Errorf("%s: nobody gave it a floor", dir)
			continue
		}
		for imp := range src.imports {
			other, ours := strings.CutPrefix(imp, module+"internal/")
			if ours && floor[other] >= own && !family(name, other) {
				t.Errorf("%s imports its neighbour or a floor above: %s", dir, other)
			}
		}
		if slices.Contains(pure, name) {
			checkPure(t, dir, src)
		}
	}
	for name := range floor {
		if !seen[name] {
			t.Errorf("internal/%s has a floor but does not exist", name)
		}
	}
}

func family(a, b string) bool {
	rootA, _, _ := strings.Cut(a, "/")
	rootB, _, _ := strings.Cut(b, "/")
	return rootA == rootB
}

func checkPure(t *testing.T, dir string, src *source) {
	for imp := range src.imports {
		for _, bad := range impureImports {
			if imp != "net/netip" && (imp == bad || strings.HasPrefix(imp, bad+"/")) { // netip is arithmetic
				t.Errorf("%s is pure and must not import %s", dir, imp)
			}
		}
	}
	for _, f := range src.files {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" &&
					slices.Contains([]string{"Now", "Since", "Until", "After", "NewTimer", "NewTicker", "Sleep", "AfterFunc"}, s.Sel.Name) {
					t.Errorf("%s is pure and must not use time.%s", dir, s.Sel.Name)
				}
			}
			return true
		})
	}
}

// parseTree parses every package of the module. It does not ask the go
// command, whose answers a test cache would keep.
func parseTree(t *testing.T) map[string]*source {
	t.Helper()
	out := map[string]*source{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "." {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		src := out[dir]
		if src == nil {
			src = &source{name: dir, imports: map[string]bool{}}
			out[dir] = src
		}
		src.doc = src.doc || f.Doc != nil
		if strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src.files = append(src.files, f)
		for _, imp := range f.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			src.imports[p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWebAssembly holds what a phone downloads to the standard library without
// its network, and golang.org/x/crypto: net/http alone doubles the size.
func TestWebAssembly(t *testing.T) {
	tree := parseTree(t)
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		if seen[dir] {
			return
		}
		seen[dir] = true
		if tree[dir] == nil {
			t.Fatalf("%s is not there", dir)
		}
		for imp := range tree[dir].imports {
			first, _, _ := strings.Cut(imp, "/")
			switch ours, isOurs := strings.CutPrefix(imp, module); {
			case isOurs:
				visit(ours)
			case strings.HasPrefix(imp, "golang.org/x/crypto/") && imp != "golang.org/x/crypto/ssh", imp == "net/netip", strings.HasPrefix(imp, "rsc.io/qr"):
			case strings.Contains(first, "."), first == "net", imp == "crypto/tls", imp == "crypto/x509":
				t.Errorf("%s is in the phone's WebAssembly and must not import %s", dir, imp)
			}
		}
	}
	visit("cmd/phone-wasm")
	if !seen["internal/phone"] {
		t.Error("the phone is not in the phone's WebAssembly")
	}
}

// TestSDK keeps AWS's SDK, 3 MB and the code that reads credentials, in krd: a
// phone has no account.
func TestSDK(t *testing.T) {
	tree := parseTree(t)
	for _, program := range []string{"cmd/kr", "cmd/kr-phone", "cmd/kr-relay", "cmd/krd"} {
		seen, has := map[string]bool{}, false
		var visit func(dir string)
		visit = func(dir string) {
			if seen[dir] || tree[dir] == nil {
				return
			}
			seen[dir] = true
			for imp := range tree[dir].imports {
				has = has || strings.HasPrefix(imp, "github.com/aws/")
				visit(strings.TrimPrefix(imp, module))
			}
		}
		visit(program)
		if has != (program == "cmd/krd") {
			t.Errorf("%s has AWS's SDK: %t", program, has)
		}
	}
}

// TestDoors holds programs to 25 lines: everything else is importable.
func TestDoors(t *testing.T) {
	mains, err := filepath.Glob("cmd/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatal("no programs", err)
	}
	for _, m := range append(mains, "web/build/main.go") {
		fset := token.NewFileSet()
		if _, err := parser.ParseFile(fset, m, nil, 0); err != nil {
			t.Fatal(err)
		}
		fset.Iterate(func(f *token.File) bool {
			if n := f.LineCount(); n > 25 {
				t.Errorf("%s has %d lines, 25 are allowed", m, n)
			}
			return true
		})
	}
}

// TestProcessors: no file is for one processor only, so CI vets a system for one.
func TestProcessors(t *testing.T) {
	compared := 0
	for dir := range parseTree(t) {
		files, err := filepath.Glob(dir + "/*.*")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			for _, system := range []string{"linux", "darwin"} {
				amd, arm := build.Default, build.Default
				amd.GOOS, amd.GOARCH = system, "amd64"
				arm.GOOS, arm.GOARCH = system, "arm64"
				onAMD, err := amd.MatchFile(dir, filepath.Base(path))
				if err != nil {
					t.Fatal(err)
				}
				onARM, err := arm.MatchFile(dir, filepath.Base(path))
				if err != nil || onAMD != onARM {
					t.Errorf("%s on %s: with amd64 %t, with arm64 %t, %v", path, system, onAMD, onARM, err)
				}
				if onAMD {
					compared++
				}
			}
		}
	}
	if compared < 500 {
		t.Errorf("only %d files were compared", compared)
	}
}
