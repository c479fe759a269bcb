// Package models checks the models of the protocol's state machines with Spin,
// which tries every order of events.
package models

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	switches = regexp.MustCompile(`(?m)^#ifn?def (\w+)\b`)
	verdict  = regexp.MustCompile(`errors: (\d+)`)
	violated = regexp.MustCompile(`pan:1: assertion violated`)
	notMet   = regexp.MustCompile(`(?m)^\s+\S+\.pml:\d+, state \d+, "(.*)"$`)
)

// TestModels: no claim can be broken, no step of a model is idle, and each rule
// is needed: without it a claim breaks.
func TestModels(t *testing.T) {
	for _, program := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("%s is missing; install it: apt-get install spin gcc", program)
		}
	}
	models, err := filepath.Glob("*.pml")
	if err != nil || len(models) == 0 {
		t.Fatal("no models: ", err)
	}
	for _, model := range models {
		source, err := os.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			said := check(t, model)
			if m := verdict.FindStringSubmatch(said); m == nil || m[1] != "0" {
				t.Errorf("a claim breaks:\n%s", said)
			}
			for _, m := range notMet.FindAllStringSubmatch(said, -1) {
				if m[1] != "-end-" { // of processes that go on for ever
					t.Errorf("never done: %s", m[1])
				}
			}
		})
		var rules []string
		for _, m := range switches.FindAllStringSubmatch(string(source), -1) {
			rules = append(rules, m[1])
		}
		slices.Sort(rules)
		rules = slices.Compact(rules)
		if len(rules) < 5 {
			t.Errorf("%s has only the switches %q", model, rules)
		}
		for _, rule := range rules {
			t.Run(model+"/"+rule, func(t *testing.T) {
				t.Parallel()
				if said := check(t, model, "-D"+rule); !violated.MatchString(said) {
					t.Errorf("no claim breaks:\n%s", said)
				}
			})
		}
	}
}

// check has Spin try everything, and returns what it says.
func check(t *testing.T, model string, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs(model)
	if err != nil {
		t.Fatal(err)
	}
	var said []byte
	for _, c := range [][]string{
		append(append([]string{"spin"}, options...), "-a", path),
		{"gcc", "-DSAFETY", "-o", "pan", "pan.c"},
		{"./pan", "-m100000"},
	} {
		cmd := exec.Command(c[0], c[1:]...)
		cmd.Dir = dir
		if said, err = cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(c, " "), err, said)
		}
	}
	if strings.Contains(string(said), "max search depth too small") {
		t.Fatal("not everything was tried")
	}
	return string(said)
}
