package relayd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/webapp"
)

// namedApp is the app under the names of this kr-relay. Keys that are made under
// another name would be lost with it, and a name that was made to lead here (DNS
// rebinding) gets nothing.
type namedApp struct {
	app     http.Handler
	origins []string
	any     bool // a web server before us decides on names
}

// appRequests is how many files one sender may be sent at a time: several
// browsers behind one address, each with as many as one connection has.
const appRequests = 256

// appHandler returns the app in files, under o's names.
func (o *options) appHandler(files fs.FS) (http.Handler, error) {
	h, err := webapp.New(files)
	if err != nil {
		return nil, err
	}
	named := &namedApp{app: h, origins: o.origins, any: o.behindProxy}
	return relay.NewCrowd(appRequests, o.trustProxy).Handler(named, func(w http.ResponseWriter, r *http.Request) {
		webapp.Protect(w.Header(), r)
		w.Header().Set("Retry-After", "1")
		webapp.Fail(w, http.StatusTooManyRequests, "too many requests at a time")
	}), nil
}

func (a *namedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.any && !a.answersTo(r.Host) {
		webapp.Protect(w.Header(), r)
		webapp.Fail(w, http.StatusMisdirectedRequest, "the phone app is not served under this name; start kr-relay with --domain or --origin")
		return
	}
	a.app.ServeHTTP(w, r)
}

// answersTo reports whether host, with its port, is this machine's or that of an
// origin.
func (a *namedApp) answersTo(host string) bool {
	if _, err := mailbox.CanonicalOrigin("http://" + host); err == nil { // only loopback hosts pass
		return true
	}
	o, err := mailbox.CanonicalOrigin("https://" + host)
	return err == nil && slices.Contains(a.origins, o)
}

// appAlone is an origin without a relay: the relay's paths are nobody's.
func appAlone(app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz":
			webapp.Protect(w.Header(), r)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, `{"status":"ok"}`+"\n")
		case relay.Owns(r.URL.Path):
			webapp.Protect(w.Header(), r)
			webapp.Fail(w, http.StatusNotFound, "here is the phone app only, and no relay")
		default:
			app.ServeHTTP(w, r)
		}
	})
}

// serveApp serves the app alone on l until ctx ends; then it lets running
// downloads finish, for some seconds.
func serveApp(ctx context.Context, l net.Listener, app http.Handler, log *slog.Logger) error {
	srv := relay.HTTPServer(appAlone(app), log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the app: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if srv.Shutdown(late) != nil {
			_ = srv.Close()
		}
		return nil
	})
	return g.Wait()
}
