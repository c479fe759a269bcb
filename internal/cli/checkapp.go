package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kryptonite/internal/appcheck"
	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// appOrigin is the origin that o means.
func (e *env) appOrigin(o checkOptions) (string, error) {
	if o.url != "" {
		// A link that was pasted has a key in its fragment: it is not needed.
		url, _, _ := strings.Cut(o.url, "#")
		origin, err := mailbox.CanonicalOrigin(url)
		if err != nil {
			return "", &term.Problem{Err: err, Code: codeUsage, Hints: []string{"like this: kr check --app https://relay.example.com"}}
		}
		return origin, nil
	}
	cfg, err := e.readConfig()
	if err != nil {
		return "", err
	}
	if cfg.App == "" && cfg.Relay == "" {
		return "", &term.Problem{Err: errors.New("no app and no relay is set: which address is to be checked?"), Code: codeUsage,
			Hints: []string{"name it: kr check --app https://relay.example.com"}}
	}
	return first(cfg.App, cfg.Relay), nil
}

func runCheckApp(ctx context.Context, e *env, o checkOptions, rt http.RoundTripper) error {
	origin, err := e.appOrigin(o)
	if err != nil {
		return err
	}
	hashes, err := e.release()
	if err != nil {
		return err
	}
	if len(hashes) == 0 {
		return &term.Problem{Err: errors.New("this kr was built without the phone app: it has nothing to compare with"),
			Hints: []string{"build both: go run ./web/build && go build -o ~/.local/bin/ ./cmd/..."}}
	}
	files, err := appcheck.Check(ctx, rt, origin, hashes)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &term.Problem{Err: err, Code: codeNoAnswer, Hints: []string{"is the address right, and kr-relay up? " + origin}}
	}
	if o.json {
		if err := e.printJSON(jsonCheck(origin, files)); err != nil {
			return err
		}
	} else {
		e.showCheck(origin, files)
	}
	return checkResult(origin, files)
}

// verdict is the worst that was found.
func verdict(files []appcheck.File) appcheck.State {
	has := func(s appcheck.State) bool {
		return slices.ContainsFunc(files, func(f appcheck.File) bool { return f.State == s })
	}
	switch {
	case has(appcheck.Different) || has(appcheck.Missing):
		return appcheck.Different
	case has(appcheck.Unread):
		return appcheck.Unread
	}
	return appcheck.Same
}

func (e *env) showCheck(origin string, files []appcheck.File) {
	for _, f := range files {
		switch f.State {
		case appcheck.Same:
			e.io.Printf("ok    %s\n", f.Path)
		case appcheck.Missing:
			e.io.Printf("fail  %s is missing\n", f.Path)
		case appcheck.Unread:
			e.io.Printf("fail  %s: %s\n", f.Path, term.CleanMax(f.Problem, 300))
		case appcheck.Different:
			e.io.Printf("fail  %s differs: %s\n      this release has  %s\n", f.Path, first(f.Got, f.Problem), f.Want)
		}
	}
	if verdict(files) == appcheck.Same {
		e.io.Printf("%s serves the same app as this release: kr %s\n", origin, version.String())
		e.io.Sayf("That is what it served to this computer, now; it can serve other files to others.\n")
	}
}

// checkResult is the error that gives the exit code.
func checkResult(origin string, files []appcheck.File) error {
	switch verdict(files) {
	case appcheck.Different:
		return &term.Problem{Err: fmt.Errorf("%s does not serve the app of this release", origin),
			Hints: []string{"an older or newer one? compare kr version here with kr-relay --version there",
				"until you know why, open no app and make no key there"}}
	case appcheck.Unread:
		return &term.Problem{Err: fmt.Errorf("%s did not hand out every file", origin), Code: codeNoAnswer, Hints: []string{"try again: kr check --app " + origin}}
	}
	return nil
}

type checkJSON struct {
	SchemaVersion int             `json:"schema_version"`
	Version       string          `json:"version"`
	Origin        string          `json:"origin"`
	Result        appcheck.State  `json:"result"`
	Files         []checkFileJSON `json:"files"`
}

type checkFileJSON struct {
	Path    string         `json:"path"`
	Result  appcheck.State `json:"result"`
	Want    string         `json:"want"`
	SHA256  string         `json:"sha256,omitempty"`
	Problem string         `json:"problem,omitempty"`
}

func jsonCheck(origin string, files []appcheck.File) checkJSON {
	out := checkJSON{SchemaVersion: control.SchemaVersion, Version: version.String(), Origin: origin, Result: verdict(files)}
	for _, f := range files {
		out.Files = append(out.Files, checkFileJSON{f.Path, f.State, f.Want, f.Got, f.Problem})
	}
	return out
}
