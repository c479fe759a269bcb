package sealbox

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Format keeps secrets out of texts under every verb, %d and %x too, and inside
// other values. Only unexported fields of other packages escape it: fmt calls
// no methods on those.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
func (p PublicKey) Format(f fmt.State, _ rune)  { io.WriteString(f, redacted) }
func (k Key32) Format(f fmt.State, _ rune)      { io.WriteString(f, redacted) }
func (e Epoch) Format(f fmt.State, _ rune)      { io.WriteString(f, redacted) }
func (s Shared) Format(f fmt.State, _ rune)     { io.WriteString(f, redacted) }
