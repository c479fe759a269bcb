package e2e

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"

	"kryptonite/internal/term"
)

// TestPhoneReadsPictureOfTerminal photographs the QR code as kr draws it and
// gives the picture to kr-phone pair --image.
func TestPhoneReadsPictureOfTerminal(t *testing.T) {
	h := newHouse(t)
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	_, err = h.Kr("daemon", "start")
	must(t, err)
	must(t, h.InitPhone("ana"))
	p, err := h.OfferPairing()
	must(t, err)
	qr, err := term.NewQR(p.Link)
	must(t, err)
	file := h.Path("photo.png")
	must(t, photograph(file, qr.Lines()))
	p.Phone, err = h.Phone("ana", "pair", "--image", file)
	must(t, err)
	must(t, p.Agree())
}

// photograph writes half-block lines as a picture.
func photograph(file string, lines []string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, drawn(lines, 8))
}

// drawn paints half-block lines, black on white, px pixels a module.
func drawn(lines []string, px int) *image.Gray {
	clean := strings.NewReplacer("\x1b[30;107m", "", "\x1b[0m", "")
	cols := len([]rune(clean.Replace(lines[0])))
	img := image.NewGray(image.Rect(0, 0, cols*px, len(lines)*2*px))
	for y, l := range lines {
		for x, r := range []rune(clean.Replace(l)) {
			top, bottom := r == '█' || r == '▀', r == '█' || r == '▄'
			fill(img, x*px, 2*y*px, px, top)
			fill(img, x*px, (2*y+1)*px, px, bottom)
		}
	}
	return img
}

func fill(img *image.Gray, x, y, n int, black bool) {
	c := color.Gray{Y: 255}
	if black {
		c.Y = 0
	}
	for i := range n {
		for j := range n {
			img.SetGray(x+i, y+j, c)
		}
	}
}
