//go:build !faults

package fault

import "time"

// Point is a point at which tests end the program; its name is a format as of
// package fmt.
func Point(string, ...any) {}

// Now is the wall clock.
func Now() time.Time { return time.Now() }
