package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"

	"kryptonite/internal/control"
	"kryptonite/internal/hostpattern"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshname"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/statedir"
)

const limitsFile = "limits.json" // fingerprint of a key → the hosts that it is offered to

var errElsewhere = errors.New("this key is limited to other hosts (kr key list)")

// limits are the keys that are offered to some hosts only. A limit goes by the
// name that ssh itself resolved, or by HostKeyAlias: the name that the phone shows
// as reported. It keeps servers from learning of keys, and ssh from spending its
// tries; who controls this computer can get around it.
type limits struct {
	dir *statedir.Dir

	mu   sync.Mutex
	only map[string]hostpattern.List // by fingerprint; never changed, only replaced
}

// open reads what was set. What cannot be read limits nothing: a login that worked
// goes on to work.
func (l *limits) open(dir *statedir.Dir, log *slog.Logger) {
	only := map[string]hostpattern.List{}
	err := dir.ReadJSON(limitsFile, recordVersion, &only)
	for _, list := range only {
		err = errors.Join(err, list.Check())
	}
	if err != nil {
		only = nil
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.As(err, new(*statedir.VersionError)):
			log.Error("which keys are limited to some hosts is not known; a newer krd knows", "err", err)
		default:
			log.Error("which keys are limited to some hosts is not known; limit them again: kr key limit", "err", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir, l.only = dir, only
}

// of returns the hosts that a key is limited to, and whether it is.
func (l *limits) of(blob []byte) (hostpattern.List, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.only) == 0 {
		return nil, false
	}
	list, ok := l.only[sshwire.Fingerprint(blob)]
	return list, ok
}

// set limits a key, or with an empty list ends its limit, durably. Limits of keys
// that are not among have are forgotten.
func (l *limits) set(key string, list hostpattern.List, have []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	only := maps.Clone(l.only)
	if only == nil {
		only = map[string]hostpattern.List{}
	}
	maps.DeleteFunc(only, func(k string, _ hostpattern.List) bool { return !slices.Contains(have, k) })
	if delete(only, key); len(list) > 0 {
		only[key] = list
	}
	if err := l.dir.WriteJSON(limitsFile, recordVersion, only); err != nil {
		return fmt.Errorf("store which hosts a key is for: %w", err)
	}
	l.only = only
	return nil
}

func (d *Daemon) handleLimit(w http.ResponseWriter, req *http.Request) {
	var in control.LimitRequest
	if !decode(w, req, &in) {
		return
	}
	list := hostpattern.List(in.Hosts)
	if len(list) > 0 {
		if err := list.Check(); err != nil {
			fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: err.Error()})
			return
		}
	}
	var have []string
	for _, p := range d.list() {
		for _, k := range p.keys() {
			have = append(have, sshwire.Fingerprint(k.PublicKey))
		}
	}
	if !slices.Contains(have, in.Key) {
		fail(w, http.StatusNotFound, &control.Error{Code: control.CodeNoSuch, Text: fmt.Sprintf("no paired phone has the key %q", in.Key)})
		return
	}
	if err := d.limits.set(in.Key, list, have); err != nil {
		fail(w, http.StatusInternalServerError, asError(err))
		return
	}
	reply(w, struct{}{})
}

// mayOffer reports whether a key that is limited to these hosts is shown to the
// asker: a login there, or a program that makes no logins.
func (a *agentConn) mayOffer(only hostpattern.List) bool {
	if exe, _ := a.asker.Executable(); slices.Contains([]string{"ssh-add", "ssh-keygen"}, filepath.Base(exe)) {
		return true
	}
	ctx, cancel := context.WithTimeout(a.life, hostPatience)
	defer cancel()
	host := a.destination(ctx).Host
	if host != "" && only.Match(host) {
		return true
	}
	a.withheld.Do(func() {
		a.d.cfg.Log.Info("a key is not offered: it is limited to other hosts", "known", host != "")
	})
	return false
}

// withinLimit refuses a login to host with a key that is limited to others: the
// phone is not asked. What is signed for no login is for no host.
func (a *agentConn) withinLimit(host sshname.Answer, r sshagent.Request) error {
	only, limited := a.d.limits.of(r.Key)
	if !limited || host.Host != "" && only.Match(host.Host) {
		return nil
	}
	if kind, err := sshwire.Classify(r.Data); err == nil && kind == sshwire.KindSSHSIG {
		return nil
	}
	return errElsewhere
}
