// Package version says which version this program is.
package version

import "runtime/debug"

const base = "0.1.0"

// String returns the version, with the commit it was built from when the build
// recorded one: "0.1.0+3f2a9c1b7d10", "-dirty" when the tree had changes.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return base
	}
	var rev, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			rev = "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if rev == "" {
		return base
	}
	return base + rev + dirty
}
