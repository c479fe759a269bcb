package upload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"kryptonite/internal/subprocess"
)

const (
	toolPatience = time.Minute
	maxOutput    = 4 << 20 // bytes of a list
)

// ErrNoTool means that the service has no program of its own, or that it is not
// on PATH.
var ErrNoTool = errors.New("the service's own program is not there")

// ToolError is a program that did not do it.
type ToolError struct {
	Program string
	Said    string // its own words, of any characters
	Listed  bool   // it could list keys, so somebody is signed in
}

func (e *ToolError) Error() string {
	what := "list keys"
	if e.Listed {
		what = "add the key"
	}
	return fmt.Sprintf("%s cannot %s: %s", e.Program, what, e.Said)
}

// ByTool adds k by the service's own program. It returns ErrNoTool or a
// *ToolError where another way may work.
func (s Service) ByTool(ctx context.Context, k Key, host string) (Outcome, error) {
	if s.tool.name == "" {
		return "", ErrNoTool
	}
	path, err := exec.LookPath(s.tool.name)
	if err != nil {
		return "", ErrNoTool
	}
	dir, err := os.MkdirTemp("", "kr-key-")
	if err != nil {
		return "", fmt.Errorf("write the public key for %s: %w", s.tool.name, err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "key.pub")
	if err := os.WriteFile(file, []byte(k.Line+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the public key for %s: %w", s.tool.name, err)
	}
	run := func(args []string) ([]byte, *ToolError) {
		return s.run(ctx, path, fill(args, s.values(k, host), file), host)
	}
	list, failed := run(s.tool.list)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case failed != nil:
		return "", failed
	case k.in(list, s.tool.counts):
		return There, nil
	}
	if _, failed = run(s.tool.add); failed != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		failed.Listed = true
		return "", failed
	}
	return Added, nil
}

// fill puts values into arguments; each stays one argument.
func fill(args []string, values *strings.Replacer, file string) []string {
	var out []string
	for _, a := range args {
		out = append(out, values.Replace(strings.ReplaceAll(a, "{file}", file)))
	}
	return out
}

// run runs the program without a terminal and without input: it has nobody to ask.
func (s Service) run(ctx context.Context, path string, args []string, host string) ([]byte, *ToolError) {
	ctx, cancel := context.WithTimeoutCause(ctx, toolPatience, fmt.Errorf("no end within %s", toolPatience))
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = os.Environ()
	for _, line := range s.tool.env {
		if host != "" || !strings.Contains(line, "{host}") {
			cmd.Env = append(cmd.Env, strings.ReplaceAll(line, "{host}", host))
		}
	}
	subprocess.Alone(cmd, time.Second)
	out, said := subprocess.Output{Max: maxOutput}, subprocess.Output{Max: maxOutput}
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if err == nil && out.Cut() {
		err = fmt.Errorf("more than %d bytes", maxOutput)
	}
	if err == nil {
		return out.Bytes(), nil
	}
	text := strings.TrimSpace(string(said.Bytes()))
	if text == "" {
		text = strings.TrimSpace(string(out.Bytes()))
	}
	if context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	if text == "" {
		text = err.Error()
	}
	return nil, &ToolError{Program: s.tool.name, Said: text}
}
