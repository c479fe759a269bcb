package relayd_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relayd"
	"kryptonite/internal/transport/relay"
)

var testBuilt = relayd.Built{
	Version: "test-version",
	App:     fstest.MapFS{"index.html": {Data: []byte("<p>the app")}},
	HasApp:  true,
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken")
	if err := os.MkdirAll(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "relay.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777), os.Mkdir(filepath.Join(open, "below"), 0o700)); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"--help", 0, "Examples:", ""},
		{"-h", 0, "--origin <url>", ""},
		{"--version", 0, "kr-relay test-version\n", ""},
		{"--nonsense", 2, "", "nonsense"},
		{"stray", 2, "", `unexpected argument "stray"`},
		{"--origin http://relay.example", 2, "", "use https"},
		{"--log-level loud", 2, "", "log-level"},
		{"--log-format xml", 2, "", "want text or json"},
		{"--serve web", 2, "", "want app, api"},
		{"--serve=", 2, "", "want app, api"},
		{"--serve app,", 2, "", "want app, api"},
		{"--sender-rate 0", 2, "", "positive"},
		{"--sender-rate NaN", 2, "", "positive"},
		{"--sender-bytes 0", 2, "", "positive"},
		{"--data=", 2, "", "--data"},
		{"--data " + file, 1, "", file},
		{"--data " + broken, 1, "", "damaged"},
		{"--data " + open, 1, "", open + " may be written by others"},
		{"--data " + open, 1, "", "\ntake that from others, see: ls -ld " + open + "\n"},
		{"--data " + filepath.Join(open, "below"), 1, "", open + " may be written by others"},
		{"--listen 256.0.0.1:1 --data " + filepath.Join(dir, "ok"), 1, "", "listen"},
	}
	for _, r := range rows {
		var stdout, stderr bytes.Buffer
		code := relayd.Run(t.Context(), strings.Fields(r.args), testBuilt, &stdout, &stderr)
		if code != r.code || !strings.Contains(stdout.String(), r.stdout) || !strings.Contains(stderr.String(), r.stderr) {
			t.Errorf("kr-relay %s = %d, stdout %q, stderr %q; want %d, %q, %q", r.args, code, &stdout, &stderr, r.code, r.stdout, r.stderr)
		}
		if r.code != 0 && stdout.Len() > 0 {
			t.Errorf("kr-relay %s wrote %q to stdout", r.args, &stdout)
		}
	}
}

func TestServesUntilTold(t *testing.T) {
	data := filepath.Join(t.TempDir(), "deep", "data")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- relayd.Run(ctx, []string{"--listen", "127.0.0.1:0", "--data", data, "--log-format", "json"}, testBuilt, in, &stderr)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("no line on stdout")
	}
	origin, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		t.Fatalf("first line is %q", lines.Text())
	}
	client, err := relay.NewClient(origin, relay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	key, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Open(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := client.Post(t.Context(), key.Address(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if c := relayd.Run(ctx, []string{"--listen", "127.0.0.1:0", "--data", data}, testBuilt, io.Discard, &second); c != 1 || !strings.Contains(second.String(), "in use by another process") {
		t.Errorf("second kr-relay on the same data = %d, %q", c, &second)
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d, stderr %s", c, &stderr)
	}
	if lines.Scan() {
		t.Errorf("more on stdout: %q", lines.Text())
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory is %v, %v, want 0700", info.Mode(), err)
	}
	if strings.Contains(stderr.String(), key.Address().String()) {
		t.Error("the log shows an address")
	}
}
