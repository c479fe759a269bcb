package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kryptonite/internal/asker"
	"kryptonite/internal/gitrepo"
	"kryptonite/internal/peer"
	"kryptonite/internal/session"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshname"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/waitline"
	"kryptonite/internal/wire"
)

// hostPatience is how long a request waits for the name of its host.
const hostPatience = time.Second

// agentConn is the agent as one connection sees it: the daemon, and who is at
// the other end.
type agentConn struct {
	d      *Daemon
	asker  asker.Asker
	life   context.Context // ends with the connection
	cancel context.CancelFunc
	bg     sync.WaitGroup

	once     sync.Once     // of resolve
	resolved chan struct{} // closed when host is as it will be
	host     sshname.Answer

	local     atomic.Bool // see local
	forwarded atomic.Bool // a bind was for forwarding
	said      sync.Once   // of the log's line on passkeys
	withheld  sync.Once   // of that on limited keys

	trace atomic.Pointer[traced] // of the request that is not answered yet
}

// agentFor returns the agent for one connection. It ends with close.
func (d *Daemon) agentFor(ctx context.Context, conn *net.UnixConn) *agentConn {
	a := &agentConn{d: d, resolved: make(chan struct{})}
	a.life, a.cancel = context.WithCancel(ctx)
	if cred, err := peer.Cred(conn); err == nil {
		a.asker = asker.At(cred.PID)
	}
	return a
}

// close ends what goes on for the connection, and waits for it.
func (a *agentConn) close() {
	a.cancel()
	a.bg.Wait()
}

// Keys lists the keys of all phones, without passkeys where the asker cannot log
// in with them, and without keys that are limited to other hosts.
func (a *agentConn) Keys() []sshagent.Key { return a.d.Keys(a.takesPasskeys, a.mayOffer) }

// Bound begins to find out the host's name while ssh goes on.
func (a *agentConn) Bound(binds []wire.Bind) {
	a.forwarded.Store(forwarded(binds))
	a.local.Store(local(binds))
	if local(binds) {
		a.resolve()
	}
}

// local reports whether binds say that the asking process itself logs in. A
// forwarded request comes through a process whose arguments name another host.
func local(binds []wire.Bind) bool {
	return len(binds) > 0 && !forwarded(binds)
}

func forwarded(binds []wire.Bind) bool {
	return slices.ContainsFunc(binds, func(b wire.Bind) bool { return b.Forwarding })
}

// resolve asks ssh, once a connection, which host was meant.
func (a *agentConn) resolve() {
	a.once.Do(func() {
		a.bg.Go(func() {
			defer close(a.resolved)
			cmd, ok := a.asker.SSH(sshname.GuardVariable)
			if !ok {
				return
			}
			host, err := a.d.names.Resolve(a.life, sshname.Question{Exe: cmd.Exe, Args: cmd.Args, Dir: cmd.Dir})
			if err != nil {
				a.d.cfg.Log.Debug("the name of the host is not known", "err", err)
				return
			}
			a.host = host
		})
	})
}

// destination is where the asker logs in, once ssh has said it; empty if nobody
// knows, or not in time.
func (a *agentConn) destination(ctx context.Context) sshname.Answer {
	if !a.local.Load() {
		return sshname.Answer{}
	}
	a.resolve()
	select {
	case <-a.resolved:
		return a.host
	case <-ctx.Done():
		return sshname.Answer{}
	}
}

// about is what the phone is told about who asks, and where that logs in. It
// waits hostPatience for the host's name, and for the disk that a git repository
// is on.
func (a *agentConn) about(ctx context.Context) (wire.Reported, sshname.Answer) {
	ctx, cancel := context.WithTimeout(ctx, hostPatience)
	defer cancel()
	who := a.asker.Describe()
	repo := a.repository(who)
	host := a.destination(ctx)
	r := wire.Reported{Program: who.Program, Directory: who.Directory,
		Host: host.Host, Port: host.Port, HostKeyAlias: host.Alias}
	select {
	case at := <-repo:
		r.Remote, r.Branch = at.Remote, at.Branch
	case <-ctx.Done():
	}
	if who.Path != "" && host.Host != "" { // what git really wants; its settings may say another
		r.Remote = place(host) + "/" + who.Path
	}
	r = r.Checked()
	a.d.cfg.Log.Debug("asked by", "program", r.Program, "host", r.Host, "port", r.Port, "alias", r.HostKeyAlias, "remote", r.Remote, "branch", r.Branch)
	return r, host
}

// place is a host as in a URL.
func place(h sshname.Answer) string {
	if h.Port == 22 {
		return h.Host
	}
	return net.JoinHostPort(h.Host, strconv.Itoa(h.Port))
}

// repository reads the git repository that who works in, if git asks.
func (a *agentConn) repository(who asker.Description) <-chan gitrepo.Repo {
	found := make(chan gitrepo.Repo, 1)
	dir, ok := a.asker.Directory()
	if !who.Git || !ok {
		found <- gitrepo.Repo{}
		return found
	}
	a.bg.Go(func() { found <- gitrepo.At(dir, os.Geteuid()) })
	return found
}

// Sign asks the phone that holds r.Key.
func (a *agentConn) Sign(ctx context.Context, r sshagent.Request) ([]byte, error) {
	return a.d.sign(ctx, r, a)
}

// Answered notes that ssh has what it asked for.
func (a *agentConn) Answered() {
	if t := a.trace.Swap(nil); t != nil {
		t.Mark(session.HopHanded, "", nil)
	}
}

// await shows in the asker's terminal that r waits for p, or on the desktop of an
// asker without one, where that may be, and returns what must be called with the outcome. It sets opts.Progress.
func (a *agentConn) await(p *phone, r sshagent.Request, host string, opts *session.SignOptions) (end func(error)) {
	if !a.ownTerminal(r.Binds) {
		return func(error) {}
	}
	ack, decide := p.session.Patience(*opts)
	var l teller
	t, err := a.asker.Terminal()
	switch {
	case err == nil:
		l = a.d.lines.Start(t, lineText(p, r.Data, host), ack)
	case errors.Is(err, asker.ErrNoTerminal):
		l = a.d.notes.Start(lineText(p, r.Data, host))
	default:
		return func(error) {}
	}
	opts.Progress = session.Progress{Acked: func() { l.Acked(decide) }, Slow: l.Slow}
	return func(err error) {
		if errors.Is(err, session.ErrLocked) {
			err = lockedBy(p.Name)
		}
		tell(l, err)
		if t != nil {
			t.Close()
		}
	}
}

// lockedBy is session.ErrLocked, with who did it.
func lockedBy(phone string) error {
	return fmt.Errorf("%s locked this computer; unlock it there: Computers > this computer > Unlock", possessive(phone))
}

// teller tells a person who waits how a request does: a waitline.Line or Note.
type teller interface {
	Acked(patience time.Duration)
	Slow()
	Approved()
	Failed(why string)
	Drop()
}

// ownTerminal reports whether who asks sits at the asker's terminal. An ssh
// without binds may be an old one that forwards.
func (a *agentConn) ownTerminal(binds []wire.Bind) bool {
	return local(binds) || len(binds) == 0 && !a.asker.IsSSH()
}

// tell ends a line or note with what became of the request.
func tell(l teller, err error) {
	switch {
	case err == nil:
		l.Approved()
	case errors.Is(err, sshagent.ErrGone):
		l.Drop()
	case errors.Is(err, ErrStopped), errors.Is(err, context.Canceled):
		l.Failed("krd has ended")
	default:
		l.Failed(err.Error())
	}
}

// lineText is what the line says of a request.
func lineText(p *phone, payload []byte, host string) waitline.Text {
	what := whatWaits(payload, host)
	var links []string
	for name := range p.session.Status().Links {
		links = append(links, name)
	}
	slices.Sort(links)
	return waitline.Text{
		What: what,
		Wait: fmt.Sprintf("Waiting for %s to approve %s", possessive(p.Name), what),
		Slow: fmt.Sprintf("the phone has not answered yet; is it online? (trying: %s)", strings.Join(links, ", ")),
	}
}

// whatWaits names a request in a few words.
func whatWaits(payload []byte, host string) string {
	if sig, err := sshwire.ParseSSHSIG(payload); err == nil {
		return fmt.Sprintf("a signature for %q", sig.Namespace)
	}
	u, err := sshwire.ParseUserauth(payload)
	switch {
	case err != nil:
		return "a request"
	case host == "":
		return "a login as " + u.User
	}
	return u.User + "@" + host
}

// possessive is "Ana's phone" for "Ana", and "Ana's iPhone" as it is.
func possessive(name string) string {
	if strings.Contains(strings.ToLower(name), "phone") || strings.Contains(name, "'s ") || strings.Contains(name, "’s ") {
		return name
	}
	return name + "'s phone"
}
