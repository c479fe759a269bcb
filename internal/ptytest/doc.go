// Package ptytest opens pseudo terminals for tests, on Linux.
//
// Reference: Linux man-pages, pty(7) and ioctl_tty(2).
package ptytest
