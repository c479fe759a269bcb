package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
	"kryptonite/internal/upload"
)

type addToOptions struct {
	service, where string
	key, title     string
	askToken       bool
}

func keyAddToCmd(e *env) *cobra.Command {
	var o addToOptions
	var list, names []string
	for _, s := range upload.Services() {
		names = append(names, s.Name)
		list = append(list, fmt.Sprintf("  %-27s%s", strings.TrimSpace(s.Name+" "+place(s)), s.Title))
	}
	c := &cobra.Command{
		Use: "add-to SERVICE [HOST | REGION]", Short: "Put a key on a forge, or in a cloud",
		Long: `Adds the public key to your account: by the service's own program (gh, glab, doctl, heroku,
aws, gcloud) if you are signed in with it; else by its API, with a token from the
environment (GH_TOKEN, GITLAB_TOKEN and so on), or one that you type after --token;
else it copies the key and opens the page to paste it at. A key that is there is
not added twice. Services:

` + strings.Join(list, "\n"),
		Example: "  $ kr key add-to github\n  $ kr key add-to github-enterprise git.example.com --key work\n  $ kr key add-to gitlab --token",
		Args:    cobra.RangeArgs(1, 2),

		ValidArgs: names,
		RunE: func(c *cobra.Command, args []string) error {
			o.service, o.where = args[0], first(args[1:]...)
			return runAddTo(c.Context(), e, o, http.DefaultTransport)
		},
	}
	keyFlag(c, &o.key)
	c.Flags().StringVar(&o.title, "title", "", "how the service lists it (default \"Kryptonite: \" and the key's name)")
	c.Flags().BoolVar(&o.askToken, "token", false, "use the API with a token: typed without echo, or a line of a pipe")
	return c
}

// formerWords are commands that people remember from before there was "kr key": they
// work, and are not listed.
func formerWords(e *env) (out []*cobra.Command) {
	for word, service := range map[string]string{"github": "github", "ghe": "github-enterprise", "gitlab": "gitlab", "bitbucket": "bitbucket",
		"digitalocean": "digitalocean", "digital-ocean": "digitalocean", "heroku": "heroku", "aws": "aws", "gcp": "gcp"} {
		c := keyAddToCmd(e)
		run := c.RunE
		c.Use, c.Hidden, c.ValidArgs = word+" [HOST | REGION]", true, nil
		c.Args = cobra.MaximumNArgs(1)
		c.RunE = func(c *cobra.Command, args []string) error { return run(c, append([]string{service}, args...)) }
		out = append(out, c)
	}
	c := keyCopyCmd(e)
	c.Hidden = true
	return append(out, c)
}

// place is how help writes what may stand after a service.
func place(s upload.Service) string {
	switch {
	case s.Where.What == "":
		return ""
	case s.Where.Must:
		return s.Where.What
	}
	return "[" + s.Where.What + "]"
}

func runAddTo(ctx context.Context, e *env, o addToOptions, rt http.RoundTripper) error {
	s, ok := upload.Find(o.service)
	if !ok {
		return &term.Problem{Err: fmt.Errorf("there is no service %q", o.service), Code: codeUsage, Hints: []string{"see: kr key add-to --help", "for a server of yours: kr key add-host"}}
	}
	host, err := s.Host(o.where, e.getenv)
	if err != nil {
		return &term.Problem{Err: err, Code: codeUsage, Hints: []string{strings.TrimSpace("like this: kr key add-to " + s.Name + " " + place(s))}}
	}
	k, _, err := e.key(ctx, o.key)
	if err != nil {
		return err
	}
	if err := refusedType(s, k); err != nil {
		return err
	}
	key := upload.Key{Line: k.AuthorizedKey, Type: k.Type, Title: first(o.title, "Kryptonite: "+term.CleanMax(k.label(), 64))}
	out, err := e.addByTool(ctx, s, key, host, o)
	if err != nil {
		return err
	}
	if out == "" {
		if out, err = e.addByAPI(ctx, s, key, host, o, rt); err != nil {
			return err
		}
	}
	if out == "" {
		return e.addByHand(ctx, s, k, host)
	}
	if out == upload.There {
		e.io.Sayf("%s has this key already.\n", s.Title)
	} else {
		e.io.Sayf("%s has the key now, as %q.\n", s.Title, key.Title)
	}
	if s.Note != "" {
		e.io.Sayf("%s.\n", s.Note)
	}
	e.passkeyNote([]control.Key{k.Key})
	return nil
}

// addByTool returns "" where another way has to be found, and says why.
func (e *env) addByTool(ctx context.Context, s upload.Service, key upload.Key, host string, o addToOptions) (upload.Outcome, error) {
	if o.askToken {
		return "", nil
	}
	out, err := s.ByTool(ctx, key, host)
	failed := new(upload.ToolError)
	switch {
	case errors.Is(err, upload.ErrNoTool):
		return "", nil
	case errors.As(err, &failed):
		e.io.Sayf("%s\n", term.CleanMax(err.Error(), 400))
		if _, login := s.Login(host); !failed.Listed {
			e.io.Sayf("To sign in: %s\n", login)
		}
		return "", nil
	}
	return out, err
}

// addByAPI returns "" where there is no token.
func (e *env) addByAPI(ctx context.Context, s upload.Service, key upload.Key, host string, o addToOptions, rt http.RoundTripper) (upload.Outcome, error) {
	token := s.Token(e.getenv)
	if o.askToken {
		var err error
		if token, err = e.askToken(ctx, s); err != nil {
			return "", err
		}
	}
	if token == "" {
		return "", nil
	}
	out, err := s.ByAPI(ctx, rt, token, key, host, time.Now())
	refused := new(upload.APIError)
	byHand := "or paste the key of kr me at " + s.PageAt(host)
	switch {
	case errors.As(err, &refused) && refused.Token():
		return "", &term.Problem{Err: err, Hints: []string{"the token must be one of your account, and allowed: " + refused.Needs, byHand}}
	case err != nil && ctx.Err() == nil:
		return "", &term.Problem{Err: err, Hints: []string{byHand}}
	}
	return out, err
}

// askToken reads a token that a person types, or that a pipe brings.
func (e *env) askToken(ctx context.Context, s upload.Service) (upload.Token, error) {
	if !s.OneToken() {
		return "", &term.Problem{Err: fmt.Errorf("%s takes no single token", s.Title), Code: codeUsage, Hints: []string{"set " + strings.Join(s.Variables(), ", ")}}
	}
	var text string
	if e.io.InTTY() {
		b, err := term.Passphrase("Token of " + s.Title + " (" + s.Needs() + "): ")
		if err != nil {
			return "", err
		}
		text = string(b)
	} else {
		var err error
		if text, err = e.io.ReadLine(ctx); err != nil {
			return "", fmt.Errorf("read the token from standard input: %w", err)
		}
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", &term.Problem{Err: errors.New("the token is empty"), Code: codeUsage}
	}
	return upload.Token(text), nil
}

// addByHand copies the key and shows the page. Without a person to go on it is an
// error.
func (e *env) addByHand(ctx context.Context, s upload.Service, k phoneKey, host string) error {
	page := s.PageAt(host)
	if !e.io.ErrTTY() {
		hints := []string{"set " + strings.Join(s.Variables(), " or ") + "; it must be allowed: " + s.Needs(), "or paste the key of kr me at " + page}
		if program, login := s.Login(host); program != "" {
			hints = append([]string{"sign in: " + login}, hints...)
		}
		return &term.Problem{Err: fmt.Errorf("nobody is signed in at %s here, and there is no token", s.Title), Hints: hints}
	}
	if err := e.copy(ctx, k); err != nil {
		e.io.Sayf("%s. Copy it by hand:\n", term.CleanMax(err.Error(), 300))
		e.io.Printf("%s\n", k.AuthorizedKey)
	}
	e.io.Sayf("Paste it at:\n")
	e.io.Printf("%s\n", page)
	if err := e.desktop().Open(page); err == nil {
		e.io.Sayf("The page is opened in your browser.\n")
	}
	if s.Note != "" {
		e.io.Sayf("%s.\n", s.Note)
	}
	e.passkeyNote([]control.Key{k.Key})
	return nil
}
