package phonejs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// page is core.d.ts: what each name stands for.
type page struct {
	shapes map[string]map[string]string // interface → field → type
	unions map[string][]string          // type → its members
}

// readPage parses core.d.ts, which keeps to a small part of TypeScript.
func readPage(t *testing.T) page {
	t.Helper()
	b, err := os.ReadFile("../../web/src/core.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`//.*`).ReplaceAllString(string(b), "")
	p := page{map[string]map[string]string{}, map[string][]string{}}
	rest := regexp.MustCompile(`export interface (\w+) \{([^}]*)\}`).ReplaceAllStringFunc(text, func(s string) string {
		m := regexp.MustCompile(`(?s)interface (\w+) \{(.*)\}`).FindStringSubmatch(s)
		p.shapes[m[1]] = map[string]string{}
		for field := range strings.SplitSeq(m[2], ";") {
			if field = strings.TrimSpace(field); field == "" {
				continue
			}
			name, kind := readField(field)
			if p.shapes[m[1]][name] != "" {
				t.Errorf("%s.%s is there twice", m[1], name)
			}
			p.shapes[m[1]][name] = kind
		}
		return ""
	})
	rest = regexp.MustCompile(`export type (\w+) = ([^;]*);`).ReplaceAllStringFunc(rest, func(s string) string {
		m := regexp.MustCompile(`(?s)type (\w+) = (.*);`).FindStringSubmatch(s)
		for member := range strings.SplitSeq(m[2], "|") {
			p.unions[m[1]] = append(p.unions[m[1]], strings.TrimSpace(member))
		}
		return ""
	})
	if rest = strings.TrimSpace(rest); rest != "" {
		t.Errorf("core.d.ts says what this test does not read: %q", rest)
	}
	return p
}

// readField splits "name: type", or a method, whose arguments' names go away.
func readField(s string) (name, kind string) {
	if i := strings.Index(s, "("); i >= 0 {
		args := regexp.MustCompile(`\w+: `).ReplaceAllString(s[i:strings.LastIndex(s, ")")+1], "")
		return s[:i], args + s[strings.LastIndex(s, ")")+1:]
	}
	name, kind, _ = strings.Cut(s, ":")
	return name, strings.TrimSpace(kind)
}

// tsKind is the type that a Go type has on the page; seen gets what it needs.
func tsKind(t *testing.T, typ reflect.Type, field string, seen map[string]reflect.Type) string {
	t.Helper()
	kind := func() string {
		switch {
		case typ == timeType, typ == durationType, seconds[field]:
			return "Millis"
		case typ == errorType:
			return "string"
		case typ == eventType, typ == effectType:
			return typ.Name()
		case isBytes(typ):
			return "Base64"
		}
		switch typ.Kind() {
		case reflect.Map:
			return "Record<string, " + tsKind(t, typ.Elem(), field, seen) + ">"
		case reflect.Slice:
			return tsKind(t, typ.Elem(), field, seen) + "[]"
		case reflect.Pointer:
			return tsKind(t, typ.Elem(), field, seen) + " | null"
		case reflect.Struct:
			seen[typ.Name()] = typ
			return typ.Name()
		case reflect.Bool:
			return "boolean"
		case reflect.String, reflect.Int:
			if typ.PkgPath() != "" {
				seen[typ.Name()] = typ
				return typ.Name()
			}
			return map[reflect.Kind]string{reflect.String: "string", reflect.Int: "number"}[typ.Kind()]
		}
		t.Errorf("%s: %s has no kind on the page", field, typ)
		return ""
	}()
	if nullable[field] {
		kind += " | null"
	}
	return kind
}

// TestContract: core.d.ts says what the Go side does, and nothing else.
func TestContract(t *testing.T) {
	got := readPage(t)
	want := page{map[string]map[string]string{"Phone": {}}, map[string][]string{"Base64": {"string"}, "Millis": {"number"}, "Name": {"string"}}}
	seen := map[string]reflect.Type{}
	for name, f := range new(Door).methods() {
		fn := reflect.TypeOf(f)
		var in []string
		for i := range fn.NumIn() {
			in = append(in, tsKind(t, fn.In(i), name, seen))
		}
		out := "null"
		if fn.NumOut() > 0 && fn.Out(0) != errorType {
			out = tsKind(t, fn.Out(0), name, seen)
		}
		want.shapes["Phone"][name] = "(" + strings.Join(in, ", ") + "): " + out
	}
	tagged := map[string]bool{}
	for union, all := range map[string]map[string]reflect.Type{"Event": events, "Effect": effects} {
		want.unions[union] = slices.Collect(maps.Keys(all))
		for name, typ := range all {
			seen[name], tagged[name] = typ, true
		}
	}
	for done := map[string]bool{}; len(done) < len(seen); {
		for name, typ := range maps.Clone(seen) {
			if done[name] {
				continue
			}
			done[name] = true
			if typ.Kind() != reflect.Struct {
				if want.unions[name] == nil {
					want.unions[name] = constants(t, typ)
				}
				continue
			}
			want.shapes[name] = map[string]string{}
			if tagged[name] {
				want.shapes[name]["type"] = strconv.Quote(name)
			}
			for i := range typ.NumField() {
				f := typ.Field(i)
				want.shapes[name][jsName(f.Name)] = tsKind(t, f.Type, name+"."+f.Name, seen)
			}
		}
	}
	for name, fields := range want.shapes {
		for f, kind := range fields {
			if got.shapes[name][f] != kind {
				t.Errorf("%s.%s is %q on the page, want %q", name, f, got.shapes[name][f], kind)
			}
		}
	}
	for name, fields := range got.shapes {
		for f := range fields {
			if want.shapes[name][f] == "" {
				t.Errorf("Go has no %s.%s", name, f)
			}
		}
	}
	for name := range maps.Keys(got.unions) {
		if want.unions[name] == nil {
			t.Errorf("Go has no %s", name)
		}
	}
	for name, members := range want.unions {
		slices.Sort(members)
		on := slices.Sorted(slices.Values(got.unions[name]))
		if !slices.Equal(members, on) {
			t.Errorf("%s is %q on the page, want %q", name, on, members)
		}
	}
}

// goFiles parses a package of ours, without its tests.
func goFiles(t *testing.T, pkgPath string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("../../" + strings.TrimPrefix(pkgPath, "kryptonite/") + "/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(pkgPath, err)
	}
	var files []*ast.File
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// constants are the values of a type, quoted; of a numbered one its words, which
// must be the names of the constants in their order.
func constants(t *testing.T, typ reflect.Type) (out []string) {
	t.Helper()
	var names []string
	for _, f := range goFiles(t, typ.PkgPath()) {
		for _, d := range f.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			current := ""
			for _, s := range group.Specs {
				spec := s.(*ast.ValueSpec)
				if id, ok := spec.Type.(*ast.Ident); ok {
					current = id.Name
				} else if len(spec.Values) > 0 {
					current = ""
				}
				if current != typ.Name() {
					continue
				}
				names = append(names, strings.TrimPrefix(spec.Names[0].Name, "Note"))
				if len(spec.Values) == 1 && typ.Kind() == reflect.String {
					out = append(out, spec.Values[0].(*ast.BasicLit).Value)
				}
			}
		}
	}
	if words := enums[typ]; words != nil {
		if !slices.Equal(names, words) {
			t.Errorf("%s has the constants %q, the codec knows %q", typ, names, words)
		}
		for _, w := range words {
			out = append(out, strconv.Quote(w))
		}
	}
	if typ.Name() == "Code" {
		out = append(out, `""`) // of a Withdraw of what was signed
	}
	return out
}

// TestAllTypesCross: every type with an event or effect method crosses.
func TestAllTypesCross(t *testing.T) {
	for _, f := range goFiles(t, "kryptonite/internal/phone") {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "event" && fn.Name.Name != "effect" {
				continue
			}
			name := fn.Recv.List[0].Type.(*ast.Ident).Name
			if all := map[string]map[string]reflect.Type{"event": events, "effect": effects}[fn.Name.Name]; all[name] == nil {
				t.Errorf("the %s %s does not cross", fn.Name.Name, name)
			}
		}
	}
}
