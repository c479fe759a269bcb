package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"kryptonite/internal/appcheck"
)

// clockLimit is when a clock is worth a word; a phone refuses what is 15 minutes
// off. [kr-protocol] §4
const clockLimit = time.Minute

// lookRelay asks the relay how it is, and compares clocks.
func lookRelay(ctx context.Context, c *checkup) []fact {
	const name = "relay"
	cfg, err := c.savedConfig()
	if err != nil {
		return nil // as lookSettings says
	}
	switch {
	case cfg.Relay == "" && cfg.SQS != nil:
		return okay(name, "none is set; Amazon SQS is (to try it: kr check --sqs)")
	case cfg.Relay == "" && cfg.Bluetooth:
		return okay(name, "none is set; Bluetooth is")
	case cfg.Relay == "":
		return warn(name, "kr config set relay https://relay.example.com", "none is set, so no phone can be paired")
	}
	before := c.now()
	date, err := askRelay(ctx, c.patience, cfg.Relay)
	after := c.now()
	if err != nil {
		c.relayDown = true
		return one(fact{name: name, state: factFail, code: codeNoAnswer, text: fmt.Sprintf("%s: %v", cfg.Relay, err), fix: "see that kr-relay runs there, and kr config get relay"})
	}
	out := okay(name, "%s answers, in %d ms", cfg.Relay, after.Sub(before).Milliseconds())
	if date.IsZero() {
		return out
	}
	// Date has whole seconds: half of one is added.
	off := before.Add(after.Sub(before) / 2).Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
	if off.Abs() <= clockLimit {
		return append(out, okay("clock", "it agrees with the relay's")...)
	}
	how := "ahead of"
	if off < 0 {
		how = "behind"
	}
	return append(out, warn("clock", "date -u, here and there; most systems set it by: sudo timedatectl set-ntp true",
		"the clock of this computer is %s %s that of the relay", off.Abs(), how)...)
}

// askRelay asks for the relay's health; date is its clock, zero if it does not
// say.
func askRelay(ctx context.Context, patience time.Duration, origin string) (date time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/healthz", nil)
	if err != nil {
		return date, err
	}
	req.Header.Set("User-Agent", "") // none
	resp, err := appcheck.Transport().RoundTrip(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return date, fmt.Errorf("no answer within %s", patience)
	}
	if err != nil {
		return date, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch {
	case err != nil:
		return date, err
	case resp.StatusCode == http.StatusServiceUnavailable:
		return date, errors.New("its store does not work")
	case resp.StatusCode != http.StatusOK || string(body) != relayHealthy:
		return date, fmt.Errorf("what answers there is no relay (status %d)", resp.StatusCode)
	}
	date, err = http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil
	}
	return date, nil
}

const relayHealthy = `{"status":"ok"}` + "\n"
