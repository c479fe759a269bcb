package qrcode

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// Draw draws text as a QR code: rows of "#" and " ", without a quiet zone.
func Draw(text string) ([]string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	rows := make([]string, code.Size)
	for y := range rows {
		var row strings.Builder
		for x := range code.Size {
			row.WriteByte(map[bool]byte{true: '#', false: ' '}[code.Black(x, y)])
		}
		rows[y] = row.String()
	}
	return rows, nil
}
