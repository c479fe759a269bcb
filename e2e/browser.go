package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Browser is Debian's Chromium without a window, with a profile of its own.
type Browser struct {
	Profile string // its directory
	ctx     context.Context
	cancel  context.CancelFunc
	process *os.Process
}

// ErrNoChromium is returned by StartBrowser.
var ErrNoChromium = errors.New("no chromium; install it: apt-get install chromium")

// pollEvery is how often a page is asked whether something has come true.
const pollEvery = 30 * time.Millisecond

// unused are what Chromium would load for itself beside the page: the popups of
// its address bar cost as much as the app.
const unused = "Translate,WebUIOmniboxPopup,WebUIOmniboxAimPopup"

// StartBrowser starts a browser with a profile, which it makes if need be.
// flags are Chromium's, "name" or "name=value".
func StartBrowser(profile string, flags ...string) (*Browser, error) {
	return StartBrowserWith(nil, profile, flags...)
}

// StartBrowserWith is StartBrowser with more environment.
func StartBrowserWith(env []string, profile string, flags ...string) (*Browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, ErrNoChromium
	}
	temp := filepath.Join(profile, "tmp") // a killed browser leaves things there
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, // root has no sandbox, and the pages are ours
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", unused),
		chromedp.Env(append([]string{"TMPDIR=" + temp}, env...)...),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		}))
	for _, f := range flags {
		name, value, given := strings.Cut(f, "=")
		if given {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(name, true))
		}
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelCtx := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {})) // events newer than the library
	b := &Browser{Profile: profile, ctx: ctx, cancel: func() { cancelCtx(); cancelAlloc() }}
	if err := chromedp.Do(ctx); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	b.process = chromedp.FromContext(ctx).Browser.Process()
	return b, nil
}

// Stop closes the browser as a person does.
func (b *Browser) Stop() error {
	defer b.cancel()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Cancel(ctx)
}

// Kill ends all processes of the browser at once, as a power cut would.
func (b *Browser) Kill() error {
	defer b.cancel()
	err := syscall.Kill(-b.process.Pid, syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), patience)
	defer cancel()
	return errors.Join(err, chromedp.WaitClosed(ctx))
}

// Page is a tab, as large as a phone.
type Page struct {
	browser *Browser
	ctx     context.Context
	close   context.CancelFunc

	mu         sync.Mutex
	complaints []string
	expected   []*regexp.Regexp
}

// Page opens a tab.
func (b *Browser) Page() (*Page, error) { return b.page(b.ctx) }

// Stranger opens a tab that shares nothing with the others: a browser of its own.
func (b *Browser) Stranger() (*Page, error) {
	return b.page(b.ctx, chromedp.WithNewBrowserContext())
}

// Size of the pages, in CSS pixels, of which each is two by two on the screen.
const pageWidth, pageHeight = 390, 844

func (b *Browser) page(parent context.Context, options ...chromedp.ContextOption) (*Page, error) {
	p := &Page{browser: b}
	p.ctx, p.close = chromedp.NewContext(parent, append(options, chromedp.WithListener(p.hear))...)
	err := chromedp.Do(p.ctx) // with a context that lasts: the tab ends with it
	if err == nil {
		err = p.Resize(pageWidth, pageHeight)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("open a page: %w", err)
	}
	return p, nil
}

// Close closes the tab.
func (p *Page) Close() { p.close() }

// Resize makes the page as large as another phone.
func (p *Page) Resize(width, height int64) error {
	return p.Do(chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
}

// Do performs actions of chromedp, within patience.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// Open goes to a URL.
func (p *Page) Open(url string) error { return p.Do(chromedp.Navigate(url)) }

// Reload loads the page again.
func (p *Page) Reload() error { return p.Do(chromedp.Reload()) }

// Command calls a command of the browser's protocol for this page.
func Command[P, R any](p *Page, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// Eval returns what JavaScript in the page comes to; a promise is awaited.
func Eval[T any](p *Page, js string) (T, error) {
	return eval[T](p, js, false)
}

// Tapped is Eval as if by the tap of a person.
func Tapped[T any](p *Page, js string) (T, error) {
	return eval[T](p, js, true)
}

func eval[T any](p *Page, js string, tapped bool) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise, func(e *runtime.EvaluateParams) { e.UserGesture = &tapped }))
	if err != nil {
		err = fmt.Errorf("%s: %w", js, err)
	}
	return v, err
}

// Await waits until a JavaScript expression is true, also in the document that
// comes after this one.
func (p *Page) Await(js string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+js+")", chromedp.WithPollingInterval(pollEvery), chromedp.WithPollingTimeout(0)))
		if err == nil {
			return nil
		}
		var gone *cdproto.Error // of the protocol: the document went away
		if ctx.Err() != nil || !errors.As(err, &gone) {
			return fmt.Errorf("%s did not come true: %w", js, err)
		}
	}
}

// Permit answers what the browser would ask the person for an origin, such as
// "notifications", now and later.
func (b *Browser) Permit(origin, permission string, yes bool) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	setting := browser.PermissionSettingDenied
	if yes {
		setting = browser.PermissionSettingGranted
	}
	_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Origin: origin, Permission: &browser.PermissionDescriptor{Name: permission}, Setting: setting})
	return err
}

// StopWorkers ends all service workers, as the browser itself does after some
// seconds without work.
func (b *Browser) StopWorkers() error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		return err
	}
	if _, err := chromedp.Call(ctx, serviceworker.StopAllWorkers, cdp.Empty{}); err != nil {
		return err
	}
	for {
		r, err := chromedp.CallBrowser(ctx, target.GetTargets, target.GetTargetsParams{})
		if err != nil || !slices.ContainsFunc(r.TargetInfos, func(t *target.Info) bool { return t.Type == "service_worker" }) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("a service worker does not stop")
		case <-time.After(pollEvery):
		}
	}
}

// Screenshot writes what the page shows as PNG.
func (p *Page) Screenshot(path string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	return os.WriteFile(path, png, 0o644)
}

// Complaints are errors on the console, exceptions that nobody caught and
// resources that did not load, without those that Expect named.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.complaints), func(c string) bool {
		return slices.ContainsFunc(p.expected, func(e *regexp.Regexp) bool { return e.MatchString(c) })
	})
}

// Expect says which complaints are part of a test.
func (p *Page) Expect(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, regexp.MustCompile(pattern))
}

// hear runs on the goroutine that reads the browser's messages.
func (p *Page) hear(ev any) {
	var said string
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		said = ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			said += " " + e.Description + string(e.Value)
		}
	case *runtime.EventConsoleAPICalled:
		if ev.Type != runtime.ConsoleAPICalledTypeError && ev.Type != runtime.ConsoleAPICalledTypeAssert {
			return
		}
		for _, arg := range ev.Args {
			said += arg.Description + string(arg.Value) + " "
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level != log.EntryLevelError {
			return
		}
		said = ev.Entry.Text + " " + ev.Entry.URL
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = append(p.complaints, said)
}

// Authenticator is a passkey store with a fingerprint reader, of one page. It
// lives as long as the page, also through reloads.
type Authenticator struct {
	page *Page
	id   webauthn.AuthenticatorID
}

// Authenticator gives the page one; prf says whether its passkeys hold secrets.
// Its person always agrees, until told otherwise.
func (p *Page) Authenticator(prf bool) (*Authenticator, error) {
	if _, err := Command(p, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		return nil, fmt.Errorf("virtual authenticator: %w", err)
	}
	r, err := Command(p, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, HasPrf: prf, AutomaticPresenceSimulation: true,
		DefaultBackupEligibility: true, DefaultBackupState: true, // as synced passkeys
	}})
	if err != nil {
		return nil, fmt.Errorf("virtual authenticator: %w", err)
	}
	return &Authenticator{p, r.AuthenticatorID}, nil
}

// Present says whether there is somebody who touches the authenticator; if not,
// prompts wait.
func (a *Authenticator) Present(yes bool) error {
	_, err := Command(a.page, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: a.id, Enabled: yes})
	return err
}

// Verified says whether the fingerprint is the right one.
func (a *Authenticator) Verified(yes bool) error {
	_, err := Command(a.page, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: yes})
	return err
}

// Credentials are the passkeys that it holds.
func (a *Authenticator) Credentials() ([]*webauthn.Credential, error) {
	r, err := Command(a.page, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id})
	return r.Credentials, err
}

// Clear loses all passkeys.
func (a *Authenticator) Clear() error {
	_, err := Command(a.page, webauthn.ClearCredentials, webauthn.ClearCredentialsParams{AuthenticatorID: a.id})
	return err
}

// ScanProfile returns the files of a profile that contain one of the patterns.
// Chromium writes its database's log as it is; its tables it may compress, in
// which random bytes stay as they are.
func ScanProfile(profile string, patterns ...[]byte) (found []string, err error) {
	err = filepath.WalkDir(profile, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the browser works
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, p := range patterns {
			if strings.Contains(string(b), string(p)) {
				found = append(found, path)
				break
			}
		}
		return nil
	})
	return found, err
}
