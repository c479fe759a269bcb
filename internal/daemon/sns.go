package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"kryptonite/internal/control"
	"kryptonite/internal/statedir"
	"kryptonite/internal/wake/sns"
	snsowner "kryptonite/internal/wake/sns/owner"
)

const snsFile = "sns.json"

// snsSettings are how Amazon SNS is used. They do not change.
type snsSettings struct {
	control.SNS
	apps map[string]sns.Application // by platform
}

// readSNS checks settings that kr gave, or that were kept; nil: SNS is not used.
func readSNS(in control.SNS) (*snsSettings, error) {
	if len(in.Applications) == 0 {
		return nil, nil
	}
	s := &snsSettings{in, map[string]sns.Application{}}
	for _, arn := range in.Applications {
		a, err := sns.ParseApplication(arn)
		if err != nil {
			return nil, err
		}
		if _, twice := s.apps[a.Platform]; twice {
			return nil, fmt.Errorf("sns: two platform applications for %s, where there can be one", a.Platform)
		}
		s.apps[a.Platform] = a
	}
	return s, nil
}

func (s *snsSettings) account(ctx context.Context, a sns.Application) (*snsowner.Account, error) {
	return snsowner.Open(ctx, snsowner.Config{Region: a.Region, Profile: s.Profile, Endpoint: s.Endpoint})
}

func (d *Daemon) loadSNS() error {
	var in control.SNS
	err := d.cfg.Dir.ReadJSON(snsFile, recordVersion, &in)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.As(err, new(*statedir.VersionError)) {
		d.cfg.Log.Error("Amazon SNS is not used; a newer krd knows how it is", "err", err)
		return nil
	}
	s := (*snsSettings)(nil)
	if err == nil {
		s, err = readSNS(in)
	}
	if err != nil {
		d.cfg.Log.Error("Amazon SNS is not used; set it up again", "err", err)
		return nil
	}
	d.sns.Store(s)
	return nil
}

// handleSetSNS changes how SNS is used, for all phones at once.
func (d *Daemon) handleSetSNS(w http.ResponseWriter, req *http.Request) {
	var in control.SNS
	if !decode(w, req, &in) {
		return
	}
	s, err := readSNS(in)
	if err == nil && s != nil {
		for _, a := range s.apps {
			if _, err = s.account(req.Context(), a); err != nil {
				break
			}
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeSNS, Text: err.Error()})
		return
	}
	d.snsMu.Lock()
	defer d.snsMu.Unlock()
	if err := d.cfg.Dir.WriteJSON(snsFile, recordVersion, in); err != nil {
		fail(w, http.StatusInternalServerError, asError(fmt.Errorf("store how SNS is used: %w", err)))
		return
	}
	d.sns.Store(s)
	for _, p := range d.list() {
		p.list.mu.Lock()
		if !p.list.over {
			d.setDevice(p)
		}
		p.list.mu.Unlock()
	}
	reply(w, struct{}{})
}

// handleCheckSNS tries the platform applications, for as long as kr listens.
func (d *Daemon) handleCheckSNS(w http.ResponseWriter, req *http.Request) {
	s := d.sns.Load()
	if s == nil {
		fail(w, http.StatusConflict, &control.Error{Code: control.CodeSNS, Text: "Amazon SNS is not set up"})
		return
	}
	out := control.SNSCheck{Applications: []control.SNSChecked{}}
	for _, arn := range s.Applications {
		checked := control.SNSChecked{ARN: arn, Facts: []control.Fact{}}
		for _, f := range d.checkSNS(req.Context(), s, arn) {
			fact := control.Fact{What: f.What}
			if f.Err != nil {
				fact.Problem = f.Err.Error()
			}
			checked.Facts = append(checked.Facts, fact)
		}
		out.Applications = append(out.Applications, checked)
	}
	reply(w, out)
}

func (d *Daemon) checkSNS(ctx context.Context, s *snsSettings, arn string) []snsowner.Fact {
	app, err := sns.ParseApplication(arn)
	if err == nil {
		var a *snsowner.Account
		if a, err = s.account(ctx, app); err == nil {
			return a.Check(ctx, app)
		}
	}
	return []snsowner.Fact{{What: "read the AWS settings", Err: err}}
}
