package qrcode

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"rsc.io/qr"
)

// picture draws text as a camera might see it: a grey wall, a code with soft
// contrast, pixels wide dots.
func picture(t testing.TB, text string, dot, margin int) *image.RGBA {
	t.Helper()
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	side := (code.Size + 8) * dot
	img := image.NewRGBA(image.Rect(0, 0, side+2*margin, side+3*margin))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{90, 110, 130, 255}), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(margin, margin, margin+side, margin+side), image.NewUniform(color.RGBA{230, 225, 210, 255}), image.Point{}, draw.Src)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				at := image.Pt(margin+(x+4)*dot, margin+(y+4)*dot)
				draw.Draw(img, image.Rectangle{at, at.Add(image.Pt(dot, dot))}, image.NewUniform(color.RGBA{60, 20, 30, 255}), image.Point{}, draw.Src)
			}
		}
	}
	return img
}

func TestRead(t *testing.T) {
	link := "HTTPS://RELAY.EXAMPLE/#" + strings.Repeat("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 3)
	for _, dot := range []int{3, 4, 7} {
		img := picture(t, link, dot, 40)
		text, err := Read(img.Pix, img.Rect.Dx(), img.Rect.Dy())
		if err != nil || text != link {
			t.Errorf("with dots of %d pixels: %q, %v", dot, text, err)
		}
	}
}

func TestReadNothing(t *testing.T) {
	wall := make([]byte, 4*320*240)
	if text, err := Read(wall, 320, 240); !errors.Is(err, ErrNone) {
		t.Errorf("a wall reads %q, %v", text, err)
	}
	for _, c := range []struct{ n, w, h int }{{0, 0, 0}, {4, 1, 2}, {4, -1, -1}, {16, 4, 1 << 20}, {4 * 5000, 5000, 1}} {
		if text, err := Read(make([]byte, c.n), c.w, c.h); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%d bytes as %d times %d: %q, %v", c.n, c.w, c.h, text, err)
		}
	}
}

// FuzzRead: no picture ends the reader.
func FuzzRead(f *testing.F) {
	img := picture(f, "HELLO", 2, 4)
	f.Add(img.Pix, img.Rect.Dx())
	f.Add([]byte{1, 2, 3, 4}, 1)
	f.Fuzz(func(t *testing.T, rgba []byte, width int) {
		if width <= 0 || len(rgba) > 1<<16 {
			return
		}
		if height := len(rgba) / 4 / width; height > 0 {
			Read(rgba[:4*width*height], width, height)
		}
	})
}
