package owner_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wake/sns/owner"
	"kryptonite/internal/wake/sns/snstest"
	"kryptonite/internal/wire"
)

const (
	token1 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	token2 = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

// rig is an account with one application, a clock, and what is kept.
type rig struct {
	*snstest.Server
	t       *testing.T
	url     string
	account *owner.Account
	app     sns.Application
	off     time.Duration
	kept    owner.Endpoint
	refuse  error // by keep
}

func newRig(t *testing.T, platform string) *rig {
	t.Helper()
	awstest.Settings(t)
	s, url := snstest.New(t)
	app, err := sns.ParseApplication(s.Application(platform, "kryptonite"))
	if err != nil {
		t.Fatal(err)
	}
	s.Grant(sns.IAMPolicy([]sns.Application{app}))
	a, err := owner.Open(t.Context(), owner.Config{Region: app.Region, Endpoint: url})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Server: s, t: t, url: url, account: a, app: app}
}

// waker is one of a new run, for a token.
func (r *rig) waker(token string) *owner.Waker {
	r.t.Helper()
	w, err := r.account.Waker(r.app, wire.PushToken{Platform: r.app.Platform, Token: token}, r.kept,
		func() time.Time { return time.Now().Add(r.off) },
		func(e owner.Endpoint) error {
			if r.refuse != nil {
				return r.refuse
			}
			if err := e.Check(); err != nil {
				r.t.Errorf("kept is %v", err)
			}
			r.kept = e
			return nil
		})
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

func wake(t *testing.T, w *owner.Waker) error {
	return w.Wake(t.Context(), wire.ID{7}, []byte("sealed"), 28*time.Second)
}

// ops are the operations that came since the last call, with their errors.
func (r *rig) ops(since *int) (out []string) {
	all := r.Calls()
	for _, c := range all[*since:] {
		out = append(out, strings.TrimSuffix(c.Op+" "+c.Code, " "))
	}
	*since = len(all)
	return out
}

// TestWake: an endpoint is made once, and what is published arrives, on each
// platform, with the frame in it.
func TestWake(t *testing.T) {
	for _, platform := range []string{wire.PlatformAPNS, wire.PlatformAPNSSandbox, wire.PlatformGCM} {
		r := newRig(t, platform)
		phone := r.Install(platform, token1)
		for range 2 { // runs
			if err := wake(t, r.waker(token1)); err != nil {
				t.Fatal(err)
			}
			p := <-phone.Got()
			frame, err := sns.Frame(p.Payload)
			if err != nil || string(frame) != "sealed" || p.TTL != 28 || p.Collapse != wire.PushTopic(wire.ID{7}) {
				t.Errorf("%s: %s, %v, TTL %d, %s", platform, p.Payload, err, p.TTL, p.Collapse)
			}
		}
		if n := len(r.Endpoints()); n != 1 || r.kept.ARN != r.Endpoints()[0] {
			t.Errorf("%d endpoints", n)
		}
		if err := r.account.Delete(t.Context(), r.kept); err != nil || len(r.Endpoints()) != 0 {
			t.Errorf("left are %v, %v", r.Endpoints(), err)
		}
		if err := r.account.Delete(t.Context(), r.kept); err != nil {
			t.Errorf("deleted twice: %v", err)
		}
	}
}

// TestMending: a disabled endpoint is enabled once, a deleted one made once; when
// it breaks again within a day the phone counts as gone, until the day is over or
// its app has told a new token.
func TestMending(t *testing.T) {
	for name, breaks := range map[string]func(*rig){
		"disabled": func(r *rig) { r.Disable(r.Endpoints()[0]) },
		"deleted":  func(r *rig) { r.Remove(r.Endpoints()[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, wire.PlatformAPNS)
			phone := r.Install(wire.PlatformAPNS, token1)
			w, n := r.waker(token1), 0
			arrives := func(when string, w *owner.Waker, phone *snstest.Device) {
				t.Helper()
				if err := wake(t, w); err != nil || w.Status().Gone || w.Status().LastOK.IsZero() || w.Status().LastError != nil {
					t.Fatalf("%s: %v, %+v", when, err, w.Status())
				}
				<-phone.Got()
			}
			gone := func(when string, w *owner.Waker) {
				t.Helper()
				if err := wake(t, w); !errors.Is(err, owner.ErrGone) || !w.Status().Gone {
					t.Fatalf("%s: %v, %+v", when, err, w.Status())
				}
			}
			arrives("at first", w, phone)
			breaks(r)
			arrives("once mended", w, phone)
			r.ops(&n)
			breaks(r)
			gone("broken again", w)
			if ops := r.ops(&n); len(ops) != 1 {
				t.Errorf("broken again: %v", ops)
			}
			gone("and again", w)
			gone("after a new start", r.waker(token1))
			if ops := r.ops(&n); len(ops) != 0 {
				t.Errorf("gone, and yet: %v", ops)
			}
			if name == "deleted" && (r.kept.ARN != "" || r.account.Delete(t.Context(), r.kept) != nil || len(r.ops(&n)) != 0) {
				t.Error("a deleted endpoint is not dropped")
			}
			r.off = mendEvery
			arrives("after a day", w, phone)
			breaks(r)
			gone("broken once more", w)
			phone = r.Install(wire.PlatformAPNS, token2)
			arrives("with a new token", r.waker(token2), phone)
			if n := len(r.Endpoints()); n != 1 {
				t.Errorf("%d endpoints", n)
			}
		})
	}
}

const mendEvery = 24 * time.Hour

// TestUninstalled: SNS disables the endpoint of a device that its platform does not
// know, and krd learns it with the next push.
func TestUninstalled(t *testing.T) {
	r := newRig(t, wire.PlatformGCM)
	w := r.waker("a:token_of-google")
	for i, want := range []error{nil, nil, owner.ErrGone, owner.ErrGone} { // taken; enabled once more; not again
		if err := wake(t, w); !errors.Is(err, want) {
			t.Errorf("push %d: %v, want %v", i, err, want)
		}
	}
	if _, enabled := r.Token(r.kept.ARN); enabled {
		t.Error("it is enabled again")
	}
}

// TestTokenRotation: the endpoint stays and gets the new token; if another has it
// already, that one is used and ours goes.
func TestTokenRotation(t *testing.T) {
	r, n := newRig(t, wire.PlatformAPNS), 0
	if err := r.waker(token1).Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	arn := r.kept.ARN
	r.ops(&n)
	phone := r.Install(wire.PlatformAPNS, token2)
	if err := wake(t, r.waker(token2)); err != nil {
		t.Fatal(err)
	}
	<-phone.Got()
	if token, _ := r.Token(arn); token != token2 || r.kept.ARN != arn || fmt.Sprint(r.ops(&n)) != "[SetEndpointAttributes Publish]" {
		t.Errorf("the endpoint has not moved, or moved twice: %v", r.kept.ARN)
	}
	phone = r.Install(wire.PlatformAPNS, token1)
	other := r.Endpoint(r.app.String(), token1, "made by someone else")
	r.Disable(other)
	if err := wake(t, r.waker(token1)); err != nil {
		t.Fatal(err)
	}
	<-phone.Got()
	if left := r.Endpoints(); !slices.Equal(left, []string{other}) || r.kept.ARN != other {
		t.Errorf("left are %v, kept is %v, want %v", left, r.kept.ARN, other)
	}
}

// TestNothingIsLeft: whatever becomes of a new endpoint, it can be deleted.
func TestNothingIsLeft(t *testing.T) {
	r := newRig(t, wire.PlatformAPNS)
	r.Fail(func(c snstest.Call) *snstest.Fault { return &snstest.Fault{After: true} }) // made, and the answer lost
	if err := r.waker(token1).Make(t.Context()); err == nil || r.kept.Device.Token != token1 || r.kept.ARN != "" {
		t.Fatalf("%v, kept is an ARN: %t", err, r.kept.ARN != "")
	}
	r.Fail(nil)
	if len(r.Endpoints()) != 1 || r.account.Delete(t.Context(), r.kept) != nil || len(r.Endpoints()) != 0 {
		t.Errorf("left are %v", r.Endpoints())
	}
	r.refuse = errors.New("the pairing is over")
	if err := r.waker(token2).Make(t.Context()); !errors.Is(err, r.refuse) || len(r.Calls()) > 10 || len(r.Endpoints()) != 0 {
		t.Errorf("kept by nobody, and yet made: %v, %v", err, r.Endpoints())
	}
	r.refuse = nil
	w := r.waker(token2)
	r.Fail(func(c snstest.Call) *snstest.Fault { // between making and keeping the pairing ends
		if c.Op == "CreatePlatformEndpoint" {
			r.refuse = errors.New("the pairing is over")
		}
		return nil
	})
	if err := w.Make(t.Context()); err == nil || len(r.Endpoints()) != 0 {
		t.Errorf("left are %v, %v", r.Endpoints(), err)
	}
	r.Remove(r.app.String())
	if err := r.account.Delete(t.Context(), r.kept); err != nil {
		t.Errorf("with the application gone: %v", err)
	}
}

// TestMissingRights: for each IAM action of the policy there is something that does
// not work without it, and then it is named. Nothing else is needed.
func TestMissingRights(t *testing.T) {
	for _, missing := range sns.Actions() {
		r := newRig(t, wire.PlatformAPNS)
		r.Grant(strings.Replace(sns.IAMPolicy([]sns.Application{r.app}), missing, "sns:Nothing", 1))
		facts := r.account.Check(t.Context(), r.app)
		named := slices.ContainsFunc(facts, func(f owner.Fact) bool {
			denied := new(awsuser.DeniedError)
			return errors.As(f.Err, &denied) && denied.Action == missing && strings.Contains(f.Err.Error(), missing)
		})
		if !named {
			t.Errorf("without %s: %+v", missing, facts)
		}
	}
	r := newRig(t, wire.PlatformAPNS)
	facts := r.account.Check(t.Context(), r.app)
	for _, f := range facts {
		if f.Err != nil {
			t.Errorf("%s: %v", f.What, f.Err)
		}
	}
	if len(facts) != 4 || len(r.Endpoints()) != 0 {
		t.Errorf("%d facts, left are %v", len(facts), r.Endpoints())
	}
	other := r.Application(wire.PlatformAPNS, "other")
	app, err := sns.ParseApplication(other)
	if err != nil {
		t.Fatal(err)
	}
	if facts := r.account.Check(t.Context(), app); len(facts) != 1 || facts[0].Err == nil {
		t.Errorf("another application: %+v", facts)
	}
}

// TestErrors are for people, and have nothing of the device in them.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*rig)
		want  string
	}{
		"no application":       {func(r *rig) { r.Remove(r.app.String()) }, "SNS answered CreatePlatformEndpoint with NotFound"},
		"application disabled": {func(r *rig) { r.Disable(r.app.String()) }, "PlatformApplicationDisabled"},
		"broken": {func(r *rig) {
			r.Fail(func(snstest.Call) *snstest.Fault {
				return &snstest.Fault{Status: http.StatusInternalServerError, Code: "InternalError"}
			})
		}, "InternalError"},
		"a code with traps": {func(r *rig) {
			r.Fail(func(snstest.Call) *snstest.Fault { return &snstest.Fault{Status: 418, Code: "a b"} })
		}, "status 418"},
		"a clock that is off": {func(r *rig) { r.Advance(time.Hour); r.Fail(expired) }, "AWS's, and AWS refuses that"},
		"no key":              {func(r *rig) { t.Setenv("AWS_ACCESS_KEY_ID", "ANOTHERKEYOFNOACCOUNT"); r.reopen() }, "does not accept these credentials"},
		"no credentials":      {func(r *rig) { t.Setenv("AWS_ACCESS_KEY_ID", ""); t.Setenv("AWS_SECRET_ACCESS_KEY", ""); r.reopen() }, "aws sts get-caller-identity"},
	} {
		r := newRig(t, wire.PlatformAPNS)
		c.spoil(r)
		w := r.waker(token1)
		err := wake(t, w)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), token1) || w.Status().LastError == nil {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, c := range []owner.Config{{Region: "eu-central-1", Endpoint: "localhost:1"}, {Region: "eu-central-1", Profile: "nobody"}} {
		if _, err := owner.Open(t.Context(), c); err == nil {
			t.Errorf("opened: %+v", c)
		}
	}
}

// expired is said to the SDK's second try, too, which goes by AWS's clock.
func expired(snstest.Call) *snstest.Fault {
	return &snstest.Fault{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch"}
}

// reopen opens the account with the settings of now.
func (r *rig) reopen() {
	a, err := owner.Open(r.t.Context(), owner.Config{Region: r.app.Region, Endpoint: r.url})
	if err != nil {
		r.t.Fatal(err)
	}
	r.account = a
}
