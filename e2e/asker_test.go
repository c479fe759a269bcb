package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLineInTerminal: who waits for the phone reads it in the terminal of ssh,
// and nobody else does.
func TestLineInTerminal(t *testing.T) {
	h, desk := newHouse(t), NewDesk(t)
	h.Env = append(h.Env, desk.Env())
	begin(t, h, "ana")
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "ask"))
	ssh := "ssh -F " + h.Path("ssh_config")
	// at runs a command in a terminal of its own, gives the person's answers,
	// and returns all that the terminal showed.
	at := func(answers, command string, env ...string) string {
		t.Helper()
		asked := strings.Count(h.Phones["ana"].Output(), "Allow?")
		p, err := Start(append(slices.Clip(h.Env), env...), "script", "-qec", command, "/dev/null")
		must(t, err)
		for i, answer := range strings.Fields(answers) {
			_, err = h.Phones["ana"].Await(fmt.Sprintf(`(?s)(Allow\?.*){%d}`, asked+1+i))
			must(t, err)
			if answer == "slowly" {
				_, err = p.Await(fmt.Sprintf(`(?s)^(.*approved in ){%d}.*Waiting for ana's phone to approve root@127\.0\.0\.1 … \d+s`, i))
				must(t, err)
				answer = "y"
			}
			must(t, h.Phones["ana"].Type(answer))
		}
		_, err = p.Wait()
		must(t, err)
		return p.Output()
	}
	has := func(what, out, want string) {
		t.Helper()
		if !strings.Contains(out, want) {
			t.Errorf("%s: the terminal shows %q, want %q", what, out, want)
		}
	}
	lacks := func(what, out string, unwanted ...string) {
		t.Helper()
		for _, u := range unwanted {
			if strings.Contains(out, u) {
				t.Errorf("%s: the terminal shows %q, want nothing of krd", what, out)
			}
		}
	}

	out := at("slowly", ssh+" root@server echo in")
	has("login", out, "\r\x1b[Kapproved in ")
	if i, j := strings.Index(out, "approved in "), strings.Index(out, "in\r\n"); i < 0 || j < i {
		t.Errorf("the outcome does not come before the login: %q", out)
	}
	_, err := h.Krd.Await(`msg="asked by" program="?[^"]*ssh"? host=127\.0\.0\.1 port=[1-9]\d+ alias=false`)
	must(t, err)

	has("declined", at("n", ssh+" root@server true"), "declined on the phone\r")
	out = at("n", ssh+" root@server true", "TERM=dumb")
	has("dumb", out, "declined on the phone\r")
	lacks("dumb", out, "\x1b", "Waiting")
	lacks("quiet", at("n", ssh+" root@server true", "KR_QUIET=1"), "declined", "\x1b[K")
	const locked = "ana's phone locked this computer; unlock it there: Computers > this computer > Unlock\r"
	has("not me", at("l", ssh+" root@server true"), locked)
	_, err = h.Phones["ana"].Await("laptop is locked")
	must(t, err)
	has("locked", at("", ssh+" root@server true"), locked)
	must(t, h.Phones["ana"].Type("unlock laptop"))
	_, err = h.Phones["ana"].Await("laptop may ask again")
	must(t, err)
	if n := desk.Count(); n != 0 {
		t.Errorf("%d notifications of what was seen in a terminal, or was to be quiet", n)
	}
	lacks("background", at("n", "bash -c 'set -m; "+ssh+" root@server true & wait'"), "declined", "\x1b[K")
	lacks("behind a screen of its own", at("n", "sh -c '(sh -c \""+ssh+" root@server true; :\"; :) </dev/null 2>&1 | cat >&2'"), "declined", "\x1b[K")
	seen := notified(t, h, desk, ssh+" root@server true")

	must(t, h.Phones["ana"].Type("forward laptop"))
	_, err = h.Phones["ana"].Await(`You will be asked about what laptop forwards`)
	must(t, err)
	out = at("y n", ssh+" -A root@server ssh -F "+h.Path("ssh_config")+" -o IdentityAgent=SSH_AUTH_SOCK root@server true")
	has("forwarded", out, "Permission denied")
	lacks("forwarded", out, "declined")
	if n := desk.Count(); n != seen {
		t.Errorf("%d notifications of what was forwarded", n-seen)
	}
	if _, err := h.Krd.Await(`msg="asked by" program="?[^"]*ssh"? host="" port=0`); err != nil {
		t.Errorf("a forwarded request is said to be for the first host: %v", err)
	}

	out = at("slowly slowly", ssh+" -J root@server root@server echo in")
	if n := strings.Count(out, "\r\x1b[Kapproved in "); n != 2 {
		t.Errorf("by way of a jump host: %d of 2 approvals in %q", n, out)
	}
	_, err = h.Krd.Await(`msg="asked by" program="[^"]*ssh > ssh" host=127\.0\.0\.1 port=[1-9]\d+`)
	must(t, err)

	out = at("n", "git clone root@server:/nowhere", "GIT_SSH_COMMAND="+ssh)
	has("git", out, "declined on the phone\r")
	_, err = h.Krd.Await(`msg="asked by" program="[^"]*git clone > [^"]*ssh" host=127\.0\.0\.1 port=[1-9]\d+ alias=false remote=127\.0\.0\.1:[1-9]\d+/nowhere branch=""`)
	must(t, err)

	loginInTmux(t, h, ssh+" root@server echo in")
}

// notified is a login without a terminal, as its person sees it on the desktop. It
// returns how many notifications there were until then.
func notified(t *testing.T, h *House, desk *Desk, login string) int {
	t.Helper()
	for _, answer := range []string{"n", "y"} {
		asked := strings.Count(h.Phones["ana"].Output(), "Allow?")
		p, err := Start(append(slices.Clip(h.Env), "SSH_ASKPASS_REQUIRE=never"), "setsid", strings.Fields(login)...)
		must(t, err)
		_, err = h.Phones["ana"].Await(fmt.Sprintf(`(?s)(Allow\?.*){%d}`, asked+1))
		must(t, err)
		_, err = desk.Await(func(now []Notification) bool {
			return slices.ContainsFunc(now, func(n Notification) bool {
				return n.Title == "Waiting for ana's phone to approve root@127.0.0.1" && n.Body == ""
			})
		})
		must(t, err)
		must(t, h.Phones["ana"].Type(answer))
		_, err = p.Wait()
		must(t, err)
		_, err = desk.Await(func(now []Notification) bool {
			waits := slices.ContainsFunc(now, func(n Notification) bool { return strings.HasPrefix(n.Title, "Waiting") })
			return !waits && (answer == "y" || now[len(now)-1].Title == "root@127.0.0.1: declined on the phone")
		})
		must(t, err)
	}
	return desk.Count()
}

// loginInTmux is a login as its person sees it on the screen of a tmux.
func loginInTmux(t *testing.T, h *House, login string) {
	t.Helper()
	tmux := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("tmux", append([]string{"-S", h.Path("tmux.sock"), "-f", "/dev/null"}, args...)...)
		cmd.Env = append(slices.Clip(h.Env), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v (Debian: tmux): %v\n%s", args, err, out)
		}
		return string(out)
	}
	// shows waits until the whole screen is as a person expects it.
	shows := func(want string) {
		t.Helper()
		screen, seen := "", regexp.MustCompile(want)
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if screen = strings.TrimSpace(tmux("capture-pane", "-p")); seen.MatchString(screen) {
				return
			}
		}
		t.Fatalf("the screen shows\n%s\nwant %s", screen, want)
	}
	asked := strings.Count(h.Phones["ana"].Output(), "Allow?")
	tmux("new-session", "-d", "-x", "100", "-y", "20", "exec sh")
	defer tmux("kill-server")
	tmux("send-keys", "PS1='> '; clear; "+login, "Enter")
	shows(`(?s)^(> .*\n)?Waiting for ana's phone to approve root@127\.0\.0\.1 … \d+s$`)
	_, err := h.Phones["ana"].Await(fmt.Sprintf(`(?s)(Allow\?.*){%d}`, asked+1))
	must(t, err)
	must(t, h.Phones["ana"].Type("y"))
	shows(`^(> .*\n)?approved in \d+\.\ds\nin\n>$`)
}

// TestLineWhenGitSigns: git gives ssh-keygen pipes; its own terminal counts.
func TestLineWhenGitSigns(t *testing.T) {
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.RunPhone("ana", "ask"))
	key, err := h.Kr("me")
	must(t, err)
	must(t, os.WriteFile(h.Path("key.pub"), []byte(key), 0o600))
	git := "git -C " + h.Path("repo") + " -c gpg.format=ssh -c user.signingkey=" + h.Path("key.pub") + " -c user.name=a -c user.email=b"
	out, err := exec.Command("git", "init", "-q", "-b", "trunk", h.Path("repo")).CombinedOutput()
	if err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	// What git works in is told, without the secret in its settings.
	out, err = exec.Command("git", "-C", h.Path("repo"), "remote", "add", "origin", "https://ana:hunter2@forge.example/ana/shop.git").CombinedOutput()
	if err != nil {
		t.Fatalf("git remote: %v\n%s", err, out)
	}
	p, err := Start(h.Env, "script", "-qec", git+" commit -q --allow-empty -S -m x", "/dev/null")
	must(t, err)
	_, err = h.Phones["ana"].Await(`for +forge\.example/ana/shop, branch trunk \(as it says\)(?s).*Allow\?`)
	must(t, err)
	must(t, h.Phones["ana"].Type("n"))
	_, err = p.Await(`\r\x1b\[Kdeclined on the phone\r`)
	must(t, err)
	_, err = h.Krd.Await(`msg="asked by" program="[^"]*git commit > ssh-keygen" host="" port=0 alias=false remote=forge\.example/ana/shop branch=trunk`)
	must(t, err)
	if strings.Contains(h.Krd.Output()+h.Phones["ana"].Output(), "hunter2") {
		t.Error("the password of the remote's URL is told")
	}
}

// TestLineIsSlow: the phone is off, and the terminal says so after 5 s.
func TestLineIsSlow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin(t, h, "ana")
	must(t, h.StartSshd())
	p, err := Start(h.Env, "script", "-qec", "ssh -F "+h.Path("ssh_config")+" root@server true", "/dev/null")
	must(t, err)
	_, err = p.Await(`\r\x1b\[Kthe phone has not answered yet; is it online\? \(trying: relay\) … \d+s`)
	must(t, err)
	_, err = p.Stop(syscall.SIGKILL)
	must(t, err)
}
