package term

import (
	"io"

	"golang.org/x/term"
)

func (t *IO) env(name string) string {
	if t.Getenv == nil {
		return ""
	}
	return t.Getenv(name)
}

// width returns the columns of the terminal at w, or 80.
func width(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			return cols
		}
	}
	return 80
}
