package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/service"
	"kryptonite/internal/term"
)

// serviceKind is what keeps krd running.
type serviceKind string

const (
	kindSystemd    serviceKind = "systemd"
	kindLaunchd    serviceKind = "launchd"
	kindBackground serviceKind = "background" // a process, as "kr daemon start" starts it
)

const probePatience = 10 * time.Second

// kindHere is what this system has.
func kindHere(ctx context.Context) serviceKind {
	if runtime.GOOS == "darwin" {
		return kindLaunchd
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	probe := service.SystemdProbe()
	if exec.CommandContext(ctx, probe[0], probe[1:]...).Run() == nil {
		return kindSystemd
	}
	return kindBackground
}

// service is the service of this kind, and false for what is none. krd is the
// program, agent the setting; its commands need neither.
func (e *env) service(kind serviceKind, krd, agent string) (s service.Service, ok bool, err error) {
	if kind != kindSystemd && kind != kindLaunchd {
		return s, false, nil
	}
	spec := service.Spec{Krd: krd, Home: e.home, Agent: agent, Sockets: []string{control.AgentSocket, control.Socket}, Log: control.LogFile}
	if err := spec.Check(); err != nil {
		return s, false, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return s, false, fmt.Errorf("find the home directory: %w", err)
	}
	if kind == kindLaunchd {
		return service.Launchd(home, os.Getuid(), spec), true, nil
	}
	config, err := os.UserConfigDir() // XDG_CONFIG_HOME, or ~/.config
	if err != nil {
		return s, false, fmt.Errorf("find the directory of systemd's user units: %w", err)
	}
	return service.Systemd(config, spec), true, nil
}

// installed is the service that setup installed for this state directory.
func (e *env) installed() (s service.Service, ok bool, err error) {
	r, err := e.record()
	if err != nil {
		return s, false, err
	}
	return e.service(r.Service, "", "")
}

// inTurn runs commands.
func inTurn(ctx context.Context, all []service.Command) error {
	for _, c := range all {
		if err := carry(ctx, c); err != nil {
			return &term.Problem{Err: err, Hints: []string{"see why: kr daemon logs"}}
		}
	}
	return nil
}

// awaitService waits until the krd that a service manager starts answers.
func (e *env) awaitService(ctx context.Context) error {
	return e.awaitDaemon(ctx, nil, filepath.Join(e.home, control.LogFile))
}

var errNotOurs = errors.New("it runs krd for another state directory, or is not by kr setup")
