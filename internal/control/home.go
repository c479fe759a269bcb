package control

import (
	"fmt"
	"os"
	"path/filepath"
)

// Names in krd's state directory.
const (
	AgentSocket = "agent.sock"
	Socket      = "krd.sock"
	LogFile     = "krd.log"
	LockFile    = "krd.lock"
)

// Home is the state directory: KR_HOME, or ~/.kr.
func Home() (string, error) {
	if h := os.Getenv("KR_HOME"); h != "" {
		return h, nil
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home directory: %w", err)
	}
	return filepath.Join(h, ".kr"), nil
}
