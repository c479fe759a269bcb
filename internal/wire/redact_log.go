//go:build !js

package wire

import "log/slog"

// LogValue keeps tokens and addresses out of logs, see package sealbox.
func (t LeaseToken) LogValue() slog.Value { return slog.StringValue("[redacted]") }
func (p Push) LogValue() slog.Value       { return slog.StringValue("[redacted]") }
func (t PushToken) LogValue() slog.Value  { return slog.StringValue("[redacted]") }
func (w Wakers) LogValue() slog.Value     { return slog.StringValue("[redacted]") }
func (a SQSAddress) LogValue() slog.Value { return slog.StringValue("[redacted]") }
func (a Address) LogValue() slog.Value    { return slog.StringValue("[redacted]") }
