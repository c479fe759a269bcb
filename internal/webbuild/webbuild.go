// Package webbuild builds the web app with Go alone: the phone core as
// WebAssembly by the go command, and TypeScript by esbuild, which is a library
// here. It checks no types; that is what tsc in web/package.json is for.
//
// Output, in one directory:
//
//	phone.wasm       the core, cmd/phone-wasm
//	node/phone.mjs   the phone without a page, for tests in Node
package webbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Build builds the module at root into the directory out, which it makes.
func Build(root, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := buildCore(root, filepath.Join(out, "phone.wasm")); err != nil {
		return err
	}
	return Bundle(root, "web/node/phone.ts", filepath.Join(out, "node", "phone.mjs"))
}

func buildCore(root, to string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "./cmd/phone-wasm")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the phone core: %w\n%s", err, said)
	}
	return nil
}

// Bundle makes one file for Node of entry, a path below root, and of all that it
// imports.
func Bundle(root, entry, outfile string) error {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find wasm_exec.js: %w", err)
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: root,
		EntryPoints:   []string{entry},
		Outfile:       outfile,
		Alias:         map[string]string{"wasm_exec": filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js")},
		Bundle:        true,
		Write:         true,
		Platform:      api.PlatformNode,
		Format:        api.FormatESModule,
		Target:        api.ES2022,
		LogLevel:      api.LogLevelSilent,
	})
	var errs []error
	for _, m := range result.Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
		}
		errs = append(errs, fmt.Errorf("%s%s", where, m.Text))
	}
	return errors.Join(errs...)
}
