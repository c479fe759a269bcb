//go:build !linux

package fauxqs

import "syscall"

// confinements are none but on Linux.
func confinements() []*syscall.SysProcAttr { return nil }
