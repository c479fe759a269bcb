// Package freeport finds TCP ports for programs that tests start.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// Ports that the kernel gives to nobody by itself: Linux begins at 32768, macOS at
// 49152. One that it gave could, once closed, be the near end of any connection.
const first, last = 10_000, 32_000

// Get returns a port of loopback that is free now, and that only who asks for it by
// its number can take.
func Get() (int, error) {
	for {
		port := first + rand.IntN(last-first) // #nosec G404 -- a port for tests
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		return port, l.Close()
	}
}
