package cli

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/control"
	"kryptonite/internal/ptytest"
	"kryptonite/internal/term"
)

// own are the sequences that kr writes to a terminal by itself.
var own = regexp.MustCompile("\r?\x1b\\[K|\x1b\\[30;107m|\x1b\\[0m|\r\n|\x1b]52;c;[A-Za-z0-9+/=]*\a")

func filled[T any](yes bool) (v T) {
	attacktest.Fill(&v, yes, func(field string) string {
		switch field { // as krd makes them
		case "AuthorizedKey", "Link":
			return attacktest.EvilWord
		case "ID":
			return "0123456789abcdef"
		}
		return attacktest.Evil
	})
	return v
}

// evilKrd answers everything with evil texts; broken: with an error.
func evilKrd(t *testing.T, yes, broken bool) (home string) {
	t.Helper()
	const evil, evilWord = attacktest.Evil, attacktest.EvilWord
	home, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(home, control.Socket))
	if err != nil {
		t.Fatal(err)
	}
	pair := []control.PairEvent{{Link: evilWord}, {Link: "HTTPS://PHONE.EXAMPLE/#A2B3"}, {Words: evil}, {Error: &control.Error{Code: control.CodeCommit, Text: evil}}}
	if yes {
		phone := filled[control.Phone](yes)
		pair = []control.PairEvent{{Phone: &phone}}
	}
	answers := map[string]any{
		"/v1/status": filled[control.Status](yes), "/v1/log": filled[control.Log](false), "/v1/trace": filled[control.Traces](yes),
		"/v1/unpair": filled[control.Unpaired](yes), "/v1/log/accept": filled[control.LogAccepted](yes),
		"/v1/sqs/check": filled[control.SQSCheck](yes), "/v1/sns/check": filled[control.SNSCheck](yes),
	}
	for _, path := range []string{"relay/add", "relay/remove", "sqs/add", "sqs/remove", "bluetooth/add", "bluetooth/remove"} {
		answers["/v1/"+path] = filled[control.ChangedChannels](yes)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case broken:
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(filled[control.Error](yes))
		case r.URL.Path == "/v1/pair":
			for _, ev := range pair {
				json.NewEncoder(w).Encode(ev)
			}
		default:
			json.NewEncoder(w).Encode(answers[r.URL.Path])
		}
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close(); os.RemoveAll(home) })
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).With(evil, evil).Info(evil, "err", errors.New(evil), evil, control.Error{Text: evil})
	for name, text := range map[string]string{
		control.LogFile: log.String() + evilWord + "\n", "limits.json": evil,
		configFile: string(must(json.Marshal(map[string]any{"version": 1, "data": config{Relay: evil, App: evil, Name: evil, Agent: evil,
			Environment: evil, SQS: &control.SQS{Region: evil, Profile: evil, Endpoint: evil, Prefix: evil}}}))),
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// terminal is a terminal of 80 columns that somebody looks at.
func terminal(t *testing.T) (tty *os.File, seen func() string) {
	t.Helper()
	person, tty := ptytest.Open(t)
	var all strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := person.Read(b)
			all.Write(b[:n])
			if err != nil { // EIO: nobody writes any more
				return
			}
		}
	}()
	return tty, func() string {
		tty.Close()
		<-done
		person.Close()
		return all.String()
	}
}

// TestHostileTexts: whatever phones, servers and files say, no command of kr
// lets through what steers a terminal, in a pipe or in a terminal, and no text
// adds a line that looks like kr's.
func TestHostileTexts(t *testing.T) {
	tally := attacktest.New(t, "escapes and forged lines in what kr prints")
	said, evil, evilWord := 0, attacktest.Evil, attacktest.EvilWord
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // no program: what a text would start is not there
	commands := [][]string{
		{"status"}, {"status", "--json"}, {"me"}, {"me", "--json"}, {"me", "--phone", evil}, {"log"}, {"log", "--json"}, {"log", "--phone", evil}, {"log", "verify"}, {"log", "verify", "--accept", evil},
		{"trace"}, {"trace", "--json"}, {"trace", "-n", "5"}, {"key", "list"}, {"key", "list", "--json"}, {"key", "copy"}, {"key", "copy", evil}, {"key", "limit", evil, evil}, {"key", "limit", evilWord, "--none"},
		{"key", "add-to", "github"}, {"key", "add-to", "github", evil}, {"key", "add-to", evil}, {"key", "add-host", evil}, {"key", "add-host", "host"},
		{"check"}, {"check", "--json"}, {"check", "--sqs"}, {"check", "--sns"}, {"check", "--app", evil}, {"config", "list"}, {"config", "get", "name"}, {"config", "get", "relay"}, {"config", "set", "name", evil}, {"config", "set", evil, evil},
		{"channel", "list"}, {"channel", "add", "relay", "https://relay.example"}, {"channel", "remove", "bluetooth"}, {"channel", "policy", "sqs"}, {"channel", "policy", "sns"}, {"channel", "remove", "relay"},
		{"daemon", "logs"}, {"daemon", "status"}, {"pair"}, {"pair", "--no-qr"}, {"pair", "--name", evil}, {"unpair", evil, "--yes"}, {"unpair"}, {"setup", "--dry-run"}, {"uninstall", "--dry-run"},
		{evil}, {"status", "--" + evil}, {"help", evil}, {"completion", evil}, {"__complete", "unpair", ""}, {"__complete", "key", "copy", ""},
	}
	for _, krd := range []struct{ yes, broken bool }{{false, false}, {true, false}, {false, true}} {
		home := evilKrd(t, krd.yes, krd.broken)
		t.Setenv("KR_HOME", home)
		for _, args := range commands {
			config := must(os.ReadFile(filepath.Join(home, configFile)))
			code, out, errs := kr(t, home, args...)
			out += "\n" + errs
			check := func(where, out string) {
				if strings.Contains(out, "evil") {
					said++
				}
				out = own.ReplaceAllStringFunc(out, func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) })
				if bad := attacktest.Steers(out); bad != "" {
					tally.Succeeded("kr %q, %+v, %s: %s", args, krd, where, bad)
					return
				}
				tally.Rejected()
			}
			check("pipe", out)
			if code == 0 && strings.HasSuffix(args[len(args)-1], "--json") && !json.Valid([]byte(out)) {
				t.Errorf("kr %q is no JSON: %s", args, out)
			}
			os.WriteFile(filepath.Join(home, configFile), config, 0o600)
			tty, seen := terminal(t)
			Main(context.Background(), args, &term.IO{Program: "kr", In: strings.NewReader("y\n"), Out: tty, Err: tty, Getenv: os.Getenv}, func() (map[string]string, error) { return nil, nil })
			check("terminal", seen())
			os.WriteFile(filepath.Join(home, configFile), config, 0o600)
		}
	}
	if said < 100 {
		t.Errorf("only %d outputs had a text from outside", said)
	}
	t.Logf("%d outputs had a text from outside", said)
}
