package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/term"
	"kryptonite/internal/transport/ble/bluez"
)

// bluetoothPatience is how long D-Bus may take to say how Bluetooth does.
const bluetoothPatience = 3 * time.Second

// checkBluetooth returns nil if it can be used on this computer now, or why not.
func checkBluetooth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bluetoothPatience)
	defer cancel()
	return bluez.Check(ctx, os.Getenv(bluez.AdapterVariable))
}

// lookBluetooth says whether Bluetooth can be used, if it is set up.
func lookBluetooth(ctx context.Context, c *checkup) []fact {
	const name = "bluetooth"
	cfg, err := c.savedConfig()
	if err != nil || !cfg.Bluetooth {
		return nil
	}
	if err := checkBluetooth(ctx); err != nil {
		return warn(name, strings.Join(hintsOf(err), "; "), "%v", err)
	}
	return okay(name, "it is on")
}

// hintsOf is what to do about Bluetooth that cannot be used.
func hintsOf(err error) []string {
	if state := new(bluez.StateError); errors.As(err, &state) {
		return state.Hint()
	}
	return nil
}

// bluetoothText is how it does, in a list of channels.
func bluetoothText(ctx context.Context, cfg config) string {
	if !cfg.Bluetooth {
		return "not set"
	}
	if err := checkBluetooth(ctx); err != nil {
		return term.Clean(err.Error() + ": " + strings.Join(hintsOf(err), "; "))
	}
	return "on"
}

func setBluetooth(e *env, on bool) error {
	cfg, d, err := e.rawConfig()
	if err != nil {
		return err
	}
	cfg.Bluetooth = on
	return d.WriteJSON(configFile, configVersion, cfg)
}

func runAddBluetooth(c *cobra.Command, e *env) error {
	if err := noAWS(c); err != nil {
		return err
	}
	state := checkBluetooth(c.Context())
	if errors.Is(state, bluez.ErrUnsupported) {
		return state
	}
	if err := setBluetooth(e, true); err != nil {
		return err
	}
	if state != nil {
		e.io.Sayf("It waits until it can be used: %s.\n", term.Clean(state.Error()))
	}
	e.io.Sayf("New pairings use it: kr pair, or by it alone: kr pair --channel bluetooth\n")
	out, err := e.krd.AddBluetooth(c.Context())
	return e.sayChanged(out, err, "can come by Bluetooth now; it is told by the channels that it has", "see: kr channel list")
}

func runRemoveBluetooth(ctx context.Context, e *env) error {
	if err := setBluetooth(e, false); err != nil {
		return err
	}
	out, err := e.krd.RemoveBluetooth(ctx)
	return e.sayChanged(out, err, "does not come by Bluetooth any more", "a phone that has Bluetooth alone: kr unpair it, and kr pair it with another channel")
}

// bluetooth reports whether the pairing is to use it.
func (o pairOptions) bluetooth(cfg config) (bool, error) {
	switch {
	case !o.uses(channelBluetooth):
		return false, nil
	case o.channels != nil && !cfg.Bluetooth:
		return false, &term.Problem{Err: errors.New("bluetooth is not set up"), Code: codeUsage, Hints: []string{"kr channel add bluetooth"}}
	}
	return cfg.Bluetooth, nil
}
