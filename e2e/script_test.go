package e2e

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	// The programs under test, so that the test cache notices their changes.
	_ "kryptonite/internal/cli"
	_ "kryptonite/internal/daemon"
	_ "kryptonite/internal/phoneterm"
	_ "kryptonite/internal/relayd"
)

var bin string // the programs, built once

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kr-e2e-")
	if err == nil {
		err = Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	flag.Parse()
	flag.Set("test.parallel", "1000") // they wait for places
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// newHouse makes a house that ends with the test.
func newHouse(t testing.TB) *House {
	t.Helper()
	return newHouseOf(t, bin)
}

// newHouseOf is newHouse with other builds of the programs.
func newHouseOf(t testing.TB, bin string) *House {
	t.Helper()
	houses(t)
	dir, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHouse(bin, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() && h.Krd != nil {
			t.Logf("krd said at the end:\n%s", lastLines(h.Krd.Output(), 40))
		}
		os.RemoveAll(dir)
	})
	return h
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// begin starts a relay and krd, and pairs phones.
func begin(t testing.TB, h *House, phones ...string) {
	t.Helper()
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	must(t, h.StartKrd())
	for _, name := range phones {
		must(t, h.Pair(name))
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type houseKey struct{}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			name := "TestScripts/" + filepath.Base(env.WorkDir)
			housing.take(name, false)
			env.Defer(func() { housing.leave(name) })
			dir, err := os.MkdirTemp("", "kr")
			if err != nil {
				return err
			}
			h, err := NewHouse(bin, dir)
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := h.Close(); err != nil {
					env.T().Log(err)
				}
				os.RemoveAll(dir)
			})
			env.Values[houseKey{}] = h
			env.Vars = append(env.Vars, "KR_HOME="+h.Path("kr"), "HOME="+dir, "HOUSE="+dir,
				"SSH_AUTH_SOCK="+h.Path("kr", "agent.sock"), "PATH="+bin+":"+os.Getenv("PATH"),
				// exec sh -c $UNTIL COMMAND: what reaches krd from the phone takes a moment.
				`UNTIL=for i in $(seq 200); do sh -c "$0" && exit; sleep 0.1; done; exit 1`)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "namespaces" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			err := exec.Command("unshare", "-rm", "true").Run()
			if err != nil && os.Getenv("CI") != "" {
				return false, fmt.Errorf("unshare -rm: %w: a kernel that lets users make namespaces is needed", err)
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"relay": cmdRelay, "sshd": cmdSshd, "pair": cmdPair, "phone": cmdPhone, "krphone": cmdKrPhone, "agent": cmdAgent,
		},
	})
}

func house(ts *testscript.TestScript) *House { return ts.Value(houseKey{}).(*House) }

// relay start | stop | kill, or "relay blocked": start it behind something that
// lets no WebSocket through.
func cmdRelay(ts *testscript.TestScript, neg bool, args []string) {
	h := house(ts)
	switch args[0] {
	case "start":
		ts.Check(h.StartRelay())
		ts.Setenv("RELAY", h.Origin)
		_, err := h.Kr("config", "set", "relay", h.Origin)
		ts.Check(err)
	case "blocked":
		ts.Check(h.StartRelay())
		to, err := url.Parse(h.Origin)
		ts.Check(err)
		front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Upgrade")
		}})
		ts.Defer(front.Close)
		_, err = h.Kr("config", "set", "relay", front.URL)
		ts.Check(err)
	case "stop":
		_, err := h.Relay.Stop(syscall.SIGTERM)
		ts.Check(err)
	case "kill":
		_, err := h.Relay.Stop(syscall.SIGKILL)
		ts.Check(err)
	}
}

// agent start | hang | kill: the other agent, a real ssh-agent at $OTHER.
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	h := house(ts)
	ts.Setenv("OTHER", h.Path("other.sock"))
	switch args[0] {
	case "start":
		ts.Check(h.StartAgent())
	case "hang":
		ts.Check(h.Agent.Signal(syscall.SIGSTOP))
	case "kill":
		_, err := h.Agent.Stop(syscall.SIGKILL)
		ts.Check(err)
	default:
		ts.Fatalf("unknown: agent %s", args[0])
	}
}

// sshd starts a server that takes the paired phones' keys.
func cmdSshd(ts *testscript.TestScript, neg bool, args []string) { ts.Check(house(ts).StartSshd()) }

// pair NAME pairs a phone. "pair NAME phone-no" and "pair NAME kr-no": the
// person sees other words on that side; codes of both programs must be 4. With
// "pair NAME phone-first" the phone says no before anybody answers at kr.
func cmdPair(ts *testscript.TestScript, neg bool, args []string) {
	h := house(ts)
	if len(args) == 1 {
		ts.Check(h.Pair(args[0]))
		return
	}
	p, err := h.BeginPairing(args[0])
	ts.Check(err)
	ts.Check(p.Words())
	if p.KrWords != p.PhoneWord {
		ts.Fatalf("words differ: %q and %q", p.KrWords, p.PhoneWord)
	}
	toKr, toPhone := p.PhoneWord, p.KrWords
	if args[1] == "kr-no" {
		toKr = "ZOO ZOO"
	} else {
		toPhone = "ZOO ZOO"
	}
	if args[1] != "phone-first" {
		ts.Check(p.Kr.Type(toKr))
	}
	ts.Check(p.Phone.Type(toPhone))
	code, err := p.Kr.Wait()
	ts.Check(err)
	if code != 4 {
		ts.Fatalf("kr pair: exit %d, want 4\n%s", code, p.Kr.Output())
	}
	code, err = p.Phone.Wait()
	ts.Check(err)
	if args[1] != "kr-no" && code != 4 {
		ts.Fatalf("kr-phone pair: exit %d, want 4\n%s", code, p.Phone.Output())
	}
}

// phone NAME run MODE | await REGEXP | type LINE | stop
func cmdPhone(ts *testscript.TestScript, neg bool, args []string) {
	h := house(ts)
	name := args[0]
	switch args[1] {
	case "run":
		ts.Check(h.RunPhone(name, args[2]))
	case "await":
		_, err := h.Phones[name].Await(args[2])
		ts.Check(err)
	case "not":
		if strings.Contains(h.Phones[name].Output(), args[2]) {
			ts.Fatalf("phone said %q:\n%s", args[2], h.Phones[name].Output())
		}
	case "type":
		ts.Check(h.Phones[name].Type(args[2]))
	case "stop":
		_, err := h.Phones[name].Stop(syscall.SIGTERM)
		ts.Check(err)
		delete(h.Phones, name)
	default:
		ts.Fatalf("unknown: phone %s", strings.Join(args, " "))
	}
}

// krphone NAME ARGS... runs kr-phone for that phone, with stdin from "-" files.
func cmdKrPhone(ts *testscript.TestScript, neg bool, args []string) {
	h := house(ts)
	ts.Setenv("KR_PHONE_HOME", h.Path("phone-"+args[0]))
	ts.Setenv("KR_PHONE_NAME", args[0])
	err := ts.Exec(filepath.Join(bin, "kr-phone"), append([]string{"--passphrase-file", h.Path("passphrase")}, args[1:]...)...)
	if (err != nil) != neg {
		ts.Fatalf("kr-phone %v: %v", args[1:], err)
	}
}
