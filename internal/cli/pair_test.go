package cli

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
)

// fakePairing is a krd that shows two words, and ends with that event: at once, or when
// somebody has answered, who gets that status.
type fakePairing struct {
	end    string
	status int // 0: at once
	got    chan string
}

// krPair runs kr pair with a person who types that; "": and no end of it.
func (p *fakePairing) krPair(t *testing.T, typed string) (code int, stderr string) {
	t.Helper()
	home, err := os.MkdirTemp("", "kr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	t.Setenv("KR_HOME", home)
	t.Setenv("HOME", home)
	l, err := net.Listen("unix", filepath.Join(home, control.Socket))
	if err != nil {
		t.Fatal(err)
	}
	p.got = make(chan string, 1)
	answered := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/pair", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"words":"CABLE FOX"}`)
		http.NewResponseController(w).Flush()
		if p.status != 0 {
			<-answered
		}
		io.WriteString(w, p.end)
	})
	mux.HandleFunc("/v1/pair/answer", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		p.got <- string(b)
		w.WriteHeader(p.status)
		io.WriteString(w, `{"code":"bad_request","text":"too late"}`)
		http.NewResponseController(w).Flush()
		close(answered)
	})
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{}`) })
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	in, out, err := os.Pipe() // stays open
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close(); in.Close() })
	out.WriteString(typed)
	var said bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- Main(t.Context(), []string{"pair", "--relay", "https://relay.example"}, &term.IO{Program: "kr", In: in, Out: io.Discard, Err: &said}, nil)
	}()
	select {
	case code := <-done:
		return code, said.String()
	case <-time.After(time.Minute):
		t.Fatal("kr pair does not end")
	}
	return 0, ""
}

const declined = `{"error":{"code":"declined","text":"declined on the phone"}}`

// TestPhoneRefusesFirst: the question is over when the pairing is, whoever has not
// answered it.
func TestPhoneRefusesFirst(t *testing.T) {
	p := &fakePairing{end: declined}
	if code, said := p.krPair(t, ""); code != codeDeclined || !strings.Contains(said, "declined on the phone") {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// TestAnswerNamesItsWords: and one that comes too late does not hide why the pairing
// has ended.
func TestAnswerNamesItsWords(t *testing.T) {
	for _, c := range []struct {
		typed, answer string
		p             *fakePairing
		code          int
		say           string
	}{
		{"cable fox\n", `{"words":"CABLE FOX","same":true}`, &fakePairing{end: `{"phone":{"id":"1","name":"ana"}}`, status: 200}, 0, "Paired with ana"},
		{"zoo zoo\n", `{"words":"CABLE FOX","same":false}`, &fakePairing{end: declined, status: 200}, codeDeclined, "declined"},
		{"cable fox\n", `{"words":"CABLE FOX","same":true}`, &fakePairing{end: declined, status: 409}, codeDeclined, "declined on the phone"},
	} {
		code, said := c.p.krPair(t, c.typed)
		if got := <-c.p.got; got != c.answer || code != c.code || !strings.Contains(said, c.say) {
			t.Errorf("%q: answered %s, want %s; exit %d\n%s", c.typed, got, c.answer, code, said)
		}
	}
}
