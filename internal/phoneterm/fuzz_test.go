package phoneterm

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"kryptonite/internal/hostauth"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

const link = "HTTPS://APP.EXAMPLE/#AEAACAQDAQCQMBYIBEFAWDANBYHRAEISCMKBKFQXDAMRUGY4DUPB74HR6LZ7J5PW674PT6X37T6757Y"

// picture is a picture of a QR code.
func picture(t testing.TB, text string, size int) *image.Gray {
	t.Helper()
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, size, size, nil)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, m.GetWidth(), m.GetHeight()))
	for x := range m.GetWidth() {
		for y := range m.GetHeight() {
			if !m.Get(x, y) {
				img.SetGray(x, y, color.Gray{Y: 255})
			}
		}
	}
	return img
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzDecodeImage: no picture panics or takes memory without end, and its text
// goes nowhere but to the parser of links.
func FuzzDecodeImage(f *testing.F) {
	f.Add(pngOf(f, picture(f, link, 60)))
	f.Add(pngOf(f, picture(f, "x", 40)))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(f, link, 120), &jpeg.Options{Quality: 60}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if cfg, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && cfg.Width*cfg.Height > 1<<18 &&
			cfg.Width <= maxSide && cfg.Height <= maxSide && cfg.Width*cfg.Height <= maxPixels {
			return // slow by right
		}
		file := filepath.Join(t.TempDir(), "picture")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := decodeImage(file)
		if err != nil {
			if text != "" {
				t.Errorf("an error and %q", text)
			}
			return
		}
		if len(text) > 8<<10 { // the largest code holds 7,089 digits
			t.Errorf("a code of %d bytes", len(text))
		}
		if _, err := wire.ParseLink(text); err != nil && strings.Contains(badLink(err).Error(), "\x1b") {
			t.Errorf("%q is shown", text)
		}
	})
}

// TestPictures: the link is found in a picture; one that is too large is
// refused before it is decoded.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	write := func(b []byte) string {
		file := filepath.Join(dir, "picture")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if got, err := decodeImage(write(pngOf(t, picture(t, link, 200)))); err != nil || got != link {
		t.Errorf("decodeImage = %q, %v", got, err)
	}
	wide := pngOf(t, image.NewGray(image.Rect(0, 0, maxSide+1, 1)))
	for name, b := range map[string][]byte{"too wide": wide, "too long": append(pngOf(t, picture(t, link, 60)), make([]byte, maxImage)...), "none": []byte("x")} {
		if got, err := decodeImage(write(b)); err == nil || !strings.Contains(err.Error(), "usual size") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// FuzzCard: whatever a computer says of itself and of a request, a card has its
// own lines and no more, and nothing in it steers the terminal.
func FuzzCard(f *testing.F) {
	f.Add("laptop", "root", "", "default", "ssh-ed25519", "SHA256:x")
	f.Add("\x1b[2J", "ro\not", "git\r\n  user  admin", "\u202e", "\x9b", "\xff")
	f.Fuzz(func(t *testing.T, computer, user, namespace, key, keyType, fingerprint string) {
		var out bytes.Buffer
		p := &prompter{e: &env{io: &term.IO{Out: &out, Err: &out}}}
		card := phone.Card{Computer: computer, User: user, Namespace: namespace, KeyName: key, Expires: time.Now().Add(time.Minute),
			Host: hostauth.Host{KeyType: keyType, Fingerprint: fingerprint, Proof: hostauth.Proved}}
		p.draw(card)
		lines := strings.Count(out.String(), "\n")
		if want := map[bool]int{true: 8, false: 6}[namespace == ""]; lines != want {
			t.Errorf("%d lines, want %d: %q", lines, want, out.String())
		}
		p.take(phone.Ask{Card: card})
		p.take(phone.Withdraw{})
		for k := phone.NoteBadLink; k <= phone.NoteSigned; k++ {
			p.note(phone.Note{Computer: computer, Kind: k})
		}
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) && r != unicode.ReplacementChar }) {
			t.Errorf("shown: %q", out.String())
		}
	})
}
