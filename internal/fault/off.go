//go:build !faults

package fault

import "time"

// Point is a point at which tests end the program; its name is a format as of
// package fmt.
func Point(string, ...any) {}

// Now is the wall clock.
func Now() time.Time { return time.Now() }

// Local reports whether this machine's own addresses count as those of push
// services.
func Local() bool { return false }
