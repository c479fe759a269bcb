package sealbox

import (
	"fmt"
	"io"
	"log/slog"
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

// LogValue keeps an epoch's keys out of logs; the JSON handler of slog would
// ask MarshalText of them.
func (e Epoch) LogValue() slog.Value  { return slog.StringValue(redacted) }
func (s Shared) LogValue() slog.Value { return slog.StringValue(redacted) }
