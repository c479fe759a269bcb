//go:build !js

package mailbox

import "log/slog"

// LogValue makes slog print LogName.
func (a Address) LogValue() slog.Value { return slog.StringValue(a.LogName()) }

// LogValue keeps the key out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }
