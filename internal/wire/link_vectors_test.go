package wire

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/vectors"
)

type linkVector struct {
	Name, Expect, App, Relay, Link, Payload string
	CPub                                    string `json:"c_pub"`
	Rendezvous                              string `json:"rendezvous"`
	Hash                                    string `json:"payload_hash"`
}

func linkVectors(t testing.TB) []linkVector {
	t.Helper()
	b, err := vectors.FS.ReadFile("link.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []linkVector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 50 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	return file.Vectors
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLinkVectors pins the bytes of every form of a link, and that each holds
// version, c_pub and rendezvous and nothing else.
func TestLinkVectors(t *testing.T) {
	for _, v := range linkVectors(t) {
		got, err := ParseLink(v.Link)
		switch {
		case v.Expect == "error":
			if !errors.Is(err, ErrLink) || got != (Invitation{}) {
				t.Errorf("%s: ParseLink = %+v, %v, want ErrLink", v.Name, got, err)
			}
		case v.Expect != "ok":
			var e *LinkVersionError
			if !errors.As(err, &e) || v.Expect != fmt.Sprint("version ", e.Version) || got != (Invitation{}) {
				t.Errorf("%s: ParseLink = %v, want %s", v.Name, err, v.Expect)
			}
		default:
			want := Invitation{App: v.App, Relay: v.Relay, CPub: sealbox.PublicKey(unhex(t, v.CPub)), Rendezvous: [16]byte(unhex(t, v.Rendezvous))}
			if err != nil || got != want {
				t.Errorf("%s: ParseLink = %+v, %v, want %+v", v.Name, got, err, want)
			}
			hash := want.PayloadHash()
			if want.Link() != v.Link || want.Payload() != v.Payload || !bytes.Equal(hash[:], unhex(t, v.Hash)) {
				t.Errorf("%s: Link = %s, want %s", v.Name, want.Link(), v.Link)
			}
			code, _, _ := strings.Cut(want.Payload(), "/")
			raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(code)
			if is := "01" + v.CPub + v.Rendezvous; err != nil || hex.EncodeToString(raw) != is {
				t.Errorf("%s: the code holds %x, want %s", v.Name, raw, is)
			}
		}
	}
}

// TestErrorsDoNotRepeatTheLink: what a person pastes may end in a log.
func TestErrorsDoNotRepeatTheLink(t *testing.T) {
	for _, v := range linkVectors(t) {
		_, err := ParseLink(v.Link)
		if err == nil {
			continue
		}
		for i := 0; i+6 <= len(v.Link); i++ {
			if strings.Contains(strings.ToUpper(err.Error()), strings.ToUpper(v.Link[i:i+6])) {
				t.Errorf("%s: %q repeats %q", v.Name, err, v.Link[i:i+6])
			}
		}
	}
}

// TestLinksOfAnyInvitation: what is written is read as the same, in any case.
func TestLinksOfAnyInvitation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	origins := []string{"https://a", "https://kr.example", "https://kr.example:1", "https://192.0.2.1:65535", "https://xn--kr-fka.example"}
	for range 1000 {
		inv := Invitation{App: origins[rng.IntN(len(origins))], Relay: origins[rng.IntN(len(origins))]}
		for i := range inv.CPub {
			inv.CPub[i] = byte(rng.Uint32())
		}
		for i := range inv.Rendezvous {
			inv.Rendezvous[i] = byte(rng.Uint32())
		}
		link := inv.Link()
		if link != strings.ToUpper(link) {
			t.Fatalf("Link = %s, which a QR code cannot hold as capitals", link)
		}
		for _, s := range []string{link, strings.ToLower(link), "\t" + link + "\r\n"} {
			if got, err := ParseLink(s); err != nil || got != inv || got.Link() != link || got.PayloadHash() != inv.PayloadHash() {
				t.Fatalf("ParseLink(%s) = %+v, %v", s, got, err)
			}
		}
	}
}

// TestEveryChangedCharacter of a payload is refused or read as other bytes:
// there are no two ways to write one invitation.
func TestEveryChangedCharacter(t *testing.T) {
	inv := invitation()
	link := inv.Link()
	for i := strings.IndexByte(link, '#') + 1; i < len(link); i++ {
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567019=/#: \n" {
			if got, err := ParseLink(link[:i] + string(c) + link[i+1:]); err == nil && (got == inv) != (byte(c) == link[i]) {
				t.Errorf("character %d as %q is read as the same invitation", i, c)
			}
		}
	}
}

func FuzzLinkVectors(f *testing.F) {
	for _, v := range linkVectors(f) {
		f.Add(v.Link)
	}
	f.Add("http://localhost:1/#" + invitation().Payload() + "/r:localhost:2")
	atSQS := invitation()
	atSQS.Relay, atSQS.Rendezvous, atSQS.SQS = "", [16]byte{}, Meeting{"eu-central-1", "123456789012", "kr-"}
	f.Add(atSQS.Link())
	f.Add(strings.TrimSuffix(atSQS.Link(), ":KR-"))
	f.Fuzz(func(t *testing.T, s string) {
		inv, err := ParseLink(s)
		if err != nil {
			if inv != (Invitation{}) {
				t.Errorf("an error and %+v", inv)
			}
			return
		}
		if inv.App != strings.ToLower(inv.App) || !strings.HasPrefix(inv.App, "http") || strings.HasPrefix(inv.Relay, "http") == (inv.SQS != Meeting{}) || inv.Relay != "" && inv.SQS != (Meeting{}) {
			t.Errorf("origins %q and %q, and %+v", inv.App, inv.Relay, inv.SQS)
		}
		again, err := ParseLink(inv.Link())
		if err != nil || again != inv || again.Payload() != inv.Payload() {
			t.Errorf("read again: %+v, %v, want %+v", again, err, inv)
		}
	})
}
