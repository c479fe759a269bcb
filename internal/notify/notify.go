// Package notify shows notifications to who sits at this computer: on Linux by
// the desktop's notification service, found by the session bus; on macOS by
// osascript(1).
//
//	d, err := notify.Open(ctx)        // ErrNone: there is no desktop
//	id, err := d.Show(ctx, 0, "Waiting for Ana's phone to approve root@server", "")
//	id, err = d.Show(ctx, id, …)       // in its place
//	err = d.Remove(ctx, id)
//
// Text comes cleaned of control characters. The body may hold no markup: what
// could be taken for it is replaced.
//
// References: Desktop Notifications Specification 1.2; D-Bus Specification.
package notify

import (
	"errors"
	"strings"
)

// ErrNone is returned by Open where there is no desktop.
var ErrNone = errors.New("notify: no session bus")

const appName = "Kryptonite"

// noMarkup makes a text one that no service takes for markup.
var noMarkup = strings.NewReplacer("<", "‹", ">", "›", "&", "+")
