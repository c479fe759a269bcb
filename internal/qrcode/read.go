// Package qrcode draws QR codes, and finds one in a picture of a camera. It is a
// program of its own, cmd/qr-wasm, that the web phone loads only when it needs it:
// it is two thirds of the phone core's size.
package qrcode

import (
	"errors"
	"fmt"

	"github.com/makiuchi-d/gozxing"
	reader "github.com/makiuchi-d/gozxing/qrcode"
)

// ErrNone says that there is no code in the picture that can be read.
var ErrNone = errors.New("no QR code")

const maxSide = 4096 // pixels

// Read returns the text of the QR code in a picture: width times height pixels of
// four bytes, red, green, blue and alpha, by rows from the top, as a canvas gives
// them.
func Read(rgba []byte, width, height int) (string, error) {
	if width <= 0 || height <= 0 || width > maxSide || height > maxSide || len(rgba) != 4*width*height {
		return "", fmt.Errorf("%d bytes are no picture of %d times %d pixels", len(rgba), width, height)
	}
	// The first plane of a YUV picture is its luminance, and the only one that is read.
	source, err := gozxing.NewPlanarYUVLuminanceSource(luminance(rgba), width, height, 0, 0, width, height, false)
	if err != nil {
		return "", fmt.Errorf("read a picture: %w", err)
	}
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(source))
	if err != nil {
		return "", fmt.Errorf("read a picture: %w", err)
	}
	found, err := reader.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		return "", ErrNone
	}
	return found.GetText(), nil
}

// luminance weighs colours as ITU-R BT.601 does.
func luminance(rgba []byte) []byte {
	out := make([]byte, len(rgba)/4)
	for i := range out {
		p := rgba[4*i:]
		out[i] = byte((299*int(p[0]) + 587*int(p[1]) + 114*int(p[2])) / 1000)
	}
	return out
}
