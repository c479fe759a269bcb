//go:build !js

package wire

import "log/slog"

// LogValue keeps tokens and push addresses out of logs, see package sealbox.
func (t LeaseToken) LogValue() slog.Value { return slog.StringValue("[redacted]") }
func (p Push) LogValue() slog.Value       { return slog.StringValue("[redacted]") }
