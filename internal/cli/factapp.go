package cli

import (
	"context"
	"slices"
	"time"

	"kryptonite/internal/appcheck"
)

// appPatience bounds the download of the whole app.
const appPatience = time.Minute

// lookApp compares the phone app that is served with that of this build.
func lookApp(ctx context.Context, c *checkup) []fact {
	const name = "app"
	cfg, err := c.savedConfig()
	origin := first(cfg.App, cfg.Relay)
	if err != nil || origin == "" || c.relayDown && origin == cfg.Relay {
		return nil // as other facts say
	}
	hashes, err := c.release()
	if err != nil || len(hashes) == 0 {
		return warn(name, "use a kr that was built after: go run ./web/build", "this kr was built without the phone app, so it has nothing to compare with")
	}
	limited, cancel := context.WithTimeout(ctx, appPatience)
	defer cancel()
	files, err := appcheck.Check(limited, appcheck.Transport(), origin, hashes)
	if err != nil {
		return one(fact{name: name, state: factFail, code: codeNoAnswer, text: origin + ": " + err.Error(), fix: "see that the app's server runs there, and kr config get app"})
	}
	if !slices.ContainsFunc(files, func(f appcheck.File) bool { return f.State != appcheck.Missing }) {
		return okay(name, "%s serves none", origin)
	}
	switch verdict(files) {
	case appcheck.Different:
		return one(fact{name: name, state: factFail, text: origin + " does not serve the app of this build: until you know why, open no app and make no key there", fix: "kr check --app, which says more"})
	case appcheck.Unread:
		return warn(name, "kr check --app", "%s did not hand out every file", origin)
	}
	return okay(name, "%s serves the app of this build", origin)
}
