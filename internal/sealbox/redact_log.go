//go:build !js

package sealbox

import "log/slog"

// LogValue keeps keys out of logs: the JSON handler of slog would ask MarshalText
// of them. In WebAssembly nothing logs by slog, which is 20 KB there.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }
func (p PublicKey) LogValue() slog.Value  { return slog.StringValue(redacted) }
func (k Key32) LogValue() slog.Value      { return slog.StringValue(redacted) }
func (e Epoch) LogValue() slog.Value      { return slog.StringValue(redacted) }
func (s Shared) LogValue() slog.Value     { return slog.StringValue(redacted) }
