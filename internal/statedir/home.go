package statedir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Home is the state directory that the environment's variable names; without one
// it is name in the home directory. A path that means another place in each
// directory that one stands in, or that carries control characters into units,
// configurations and logs, is refused; so is such a HOME.
func Home(variable, name string) (string, error) {
	for _, v := range []string{variable, "HOME"} {
		if path := os.Getenv(v); path != "" && (!filepath.IsAbs(path) || !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl)) {
			return "", fmt.Errorf("%s is %.200q: it must be an absolute path, without control characters", v, path)
		}
	}
	if path := os.Getenv(variable); path != "" {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home directory: %w", err)
	}
	return filepath.Join(home, name), nil
}
