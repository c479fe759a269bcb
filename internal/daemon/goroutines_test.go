//go:build !linux

package daemon

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: no test leaves a goroutine behind. (On Linux it stands in neighbour_linux_test.go.)
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
