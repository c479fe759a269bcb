//go:build !linux

package statedir

import "os"

// datasync makes f durable; on macOS down to the disk (F_FULLFSYNC).
func datasync(f *os.File) error { return f.Sync() }
