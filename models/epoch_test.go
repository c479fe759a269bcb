package models

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var wide = flag.Bool("wide", false, "TestEpochs searches worlds with more keys and requests, too (a minute)")

var (
	searches = regexp.MustCompile(`(?m)^\*\*\* (never|found)(, wide)?: (.*)\n((?:search .*\n(?:  .*\n)*)+)`)
	search   = regexp.MustCompile(`(?m)^search .*(?:\n  .*)*`)
	without  = regexp.MustCompile(`(?m)^.*\n *\*\*\* without .*(?:\n *\*\*\* without .*)*`)
	variant  = regexp.MustCompile(`(?m)^ *\*\*\* without (\w+), (\w+) breaks ([\w, ]+):(.*)$`)
	begins   = regexp.MustCompile(`(?m)^=+\n`)
	states   = regexp.MustCompile(`(?m)^states: \d+ `)
)

// TestEpochs: what must not be found in the model of epochs is not, what must be
// is, and each rule is needed: in the variant without it each claim that is named
// breaks.
func TestEpochs(t *testing.T) {
	if _, err := exec.LookPath("maude"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("maude is missing; install it: apt-get install maude")
	}
	rules, err := os.ReadFile("epoch.maude")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := os.ReadFile("epoch-claims.maude")
	if err != nil {
		t.Fatal(err)
	}
	source := strings.Replace(string(claims), "load epoch.maude\n", string(rules), 1)
	first := searches.FindStringIndex(source)
	if first == nil {
		t.Fatal("no searches")
	}
	model := source[:first[0]]
	worlds := map[string]string{} // by name: the first, with its bounds

	var asked, about []string
	var found []bool
	all := 0
	for _, m := range searches.FindAllStringSubmatch(source, -1) {
		for _, s := range search.FindAllString(m[4], -1) {
			if all++; m[2] != "" && !*wide {
				continue
			}
			asked, about, found = append(asked, s), append(about, m[3]), append(found, m[1] == "found")
			world, _, _ := strings.Cut(strings.TrimPrefix(s, "search [1] "), " =>* ")
			name, _, _ := strings.Cut(world, "(")
			if worlds[name] == "" {
				worlds[name] = world
			}
		}
	}
	if n := strings.Count(source, "\nsearch "); len(asked) < 15 || n != all {
		t.Errorf("%d of %d searches are understood, %d run", all, n, len(asked))
	}
	t.Run("searches", func(t *testing.T) {
		t.Parallel()
		for i, said := range rewrite(t, model, asked) {
			if solved(t, said) != found[i] {
				t.Errorf("found is %t: %s\n%s\n%s", !found[i], about[i], asked[i], said)
			}
			t.Logf("%s %s", about[i], states.FindString(said))
		}
	})

	variants := 0
	for _, at := range without.FindAllStringIndex(model, -1) {
		for _, m := range variant.FindAllStringSubmatch(model[at[0]:at[1]], -1) {
			variants++
			t.Run(m[1], func(t *testing.T) {
				t.Parallel()
				world := worlds[m[2]]
				if world == "" {
					t.Fatalf("no search in the world %s", m[2])
				}
				claims := strings.Split(m[3], ", ")
				var attacks []string
				for _, c := range claims {
					attacks = append(attacks, "search [1] "+world+" =>* {X:Facts} such that breaks("+c+", X:Facts) .")
				}
				for i, said := range rewrite(t, model[:at[0]]+m[4]+model[at[1]:], attacks) {
					if !solved(t, said) {
						t.Errorf("no attack on %s:\n%s", claims[i], said)
					}
				}
			})
		}
	}
	if variants < 12 || variants != strings.Count(model, "*** without ")-1 { // one explains
		t.Errorf("%d variants are run", variants)
	}
}

// rewrite has Maude answer questions about a model, and returns what it says to each.
func rewrite(t *testing.T, model string, questions []string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.maude")
	if err := os.WriteFile(path, []byte(model+strings.Join(questions, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("maude", "-no-banner", "-batch", "-no-wrap", path).CombinedOutput()
	if err != nil {
		t.Fatalf("maude: %v\n%s", err, said)
	}
	answers := begins.Split(string(said), -1)
	if strings.TrimSpace(answers[0]) != "" || len(answers) != 1+len(questions) { // a warning is an equation that does not count
		t.Fatalf("maude:\n%s", said)
	}
	return answers[1:]
}

// solved tells whether a search, which must have ended, found something.
func solved(t *testing.T, said string) bool {
	t.Helper()
	no, yes := strings.Contains(said, "\nNo solution.\n"), strings.Contains(said, "\nSolution 1 (state ")
	if no == yes || !states.MatchString(said) || strings.Contains(said, "Warning") {
		t.Fatalf("maude:\n%s", said)
	}
	return yes
}
