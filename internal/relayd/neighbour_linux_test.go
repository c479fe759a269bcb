package relayd

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/strangertest"
)

// asStranger is kr-relay as another user's.
func asStranger(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return strangertest.Self(t, strangerRuns+"="+strings.Join(args, " "))
}

// TestNeighbourTakesACopy: another user gets no copy of a relay's mail, also where
// somebody has opened its directory and its socket to all.
func TestNeighbourTakesACopy(t *testing.T) {
	strangertest.Needed(t)
	tally := attacktest.New(t, "the relay's backup.sock, by another user")
	data, his := shortDir(t), shortDir(t)
	if err := os.Chown(his, strangertest.UID, strangertest.GID); err != nil {
		t.Fatal(err)
	}
	start(t, data)
	sock := filepath.Join(data, socketName)
	for what, open := range map[string]func() error{
		"closed": func() error { return os.Chmod(data, 0o700) },
		"open":   func() error { return errors.Join(os.Chmod(data, 0o755), os.Chmod(sock, 0o777)) },
	} {
		if err := open(); err != nil {
			t.Fatal(err)
		}
		out, err := asStranger(t, "backup", "--data", data, filepath.Join(his, "copy")).CombinedOutput()
		if _, there := os.Lstat(filepath.Join(his, "copy")); err == nil || there == nil {
			tally.Succeeded("%s: %s", what, out)
		} else {
			tally.Rejected()
		}
	}
	if c, err := dialCopy(t.Context(), data); err != nil {
		t.Errorf("we ourselves: %v", err)
	} else if err := errors.Join(receiveCopy(&strings.Builder{}, c), c.Close()); err != nil {
		t.Errorf("we ourselves: %v", err)
	}
}

// TestNeighbourPlaysTheRelay: no backup is made of what another user hands out in
// the relay's place, nor of mail in a directory that he can change.
func TestNeighbourPlaysTheRelay(t *testing.T) {
	strangertest.Needed(t)
	tally := attacktest.New(t, "another user in the place of the relay to back up")
	his, data, out := shortDir(t), shortDir(t), t.TempDir()
	stream := copyStream(t)
	sent, store := filepath.Join(his, "sent"), filepath.Join(his, storeName)
	if err := errors.Join(os.WriteFile(sent, stream, 0o644), os.WriteFile(store, stream[len(greeting)+8:], 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{his, store} {
		if err := os.Chown(path, strangertest.UID, strangertest.GID); err != nil {
			t.Fatal(err)
		}
	}
	try := func(what, data string) {
		file := filepath.Join(out, what)
		code, _, stderr := command(t.Context(), "--data", data, file)
		if _, err := os.Lstat(file); code == 0 || err == nil {
			tally.Succeeded("%s: a backup was made, %s", what, stderr)
		} else {
			tally.Rejected()
		}
	}
	player := asStranger(t, "play", filepath.Join(his, socketName), sent)
	stdout, err := player.StdoutPipe()
	if err == nil {
		err = player.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stdout)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Fatalf("he said %q, %v", line, err)
	}
	try("his-directory", his)
	if err := os.Rename(filepath.Join(his, socketName), filepath.Join(data, socketName)); err != nil {
		t.Fatal(err)
	}
	try("his-socket", data) // and the one connection that he takes
	if line, err := said.ReadString('\n'); err != nil {
		t.Errorf("he said %q, %v", line, err)
	}
	if err := player.Wait(); err != nil {
		t.Error(err)
	}
	if err := os.Chown(store, 0, 0); err != nil {
		t.Fatal(err)
	}
	try("his-file", his)
	open := shortDir(t)
	if err := errors.Join(exec.Command("cp", store, open).Run(), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	try("a-directory-that-he-can-change", open)
	if err := os.Chmod(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t.Context(), "--data", open, filepath.Join(out, "ours")); code != 0 {
		t.Errorf("our own is not backed up: %s", stderr)
	}
}
