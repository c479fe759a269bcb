package phone

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"kryptonite/internal/policy"
)

// ruleList lists all rules, by id.
func (c *Core) ruleList() []policy.Rule {
	var out []policy.Rule
	for _, id := range slices.Sorted(maps.Keys(c.rules)) {
		out = append(out, c.rules[id])
	}
	return out
}

// Rules lists the rules that hold at now, those that end soonest first.
func (c *Core) Rules(now time.Time) []policy.Rule {
	var live []*policy.Rule // pointers: in a browser, each type that is sorted costs 4 KB
	for _, r := range c.ruleList() {
		if !r.Over(now) {
			live = append(live, &r)
		}
	}
	slices.SortStableFunc(live, func(a, b *policy.Rule) int { return cmp.Compare(a.Until, b.Until) })
	out := make([]policy.Rule, len(live))
	for i, r := range live {
		out[i] = *r
	}
	return out
}

func (c *Core) rulesOf(pairing string) (n int) {
	for _, r := range c.rules {
		if r.Pairing == pairing {
			n++
		}
	}
	return n
}

// use counts a request that a rule allows.
func (c *Core) use(r policy.Rule) []Effect {
	if !r.Counted {
		return nil
	}
	if r.Left--; r.Left <= 0 {
		return c.dropRule(r.ID)
	}
	c.rules[r.ID] = r
	return []Effect{putRule(r)}
}

// dropRule removes a rule, if it is there, and what belongs to it.
func (c *Core) dropRule(id string) []Effect {
	r, ok := c.rules[id]
	if !ok {
		return nil
	}
	delete(c.rules, id)
	return append(c.dropLease(r), Store{Key: rulePrefix + id})
}

// dropRules removes the rules for one host whose key matches.
func (c *Core) dropRules(match func(hostKey string) bool) []Effect {
	var effects []Effect
	for _, r := range c.ruleList() {
		if r.Scope == policy.Host && match(r.HostKey) {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	return effects
}

// revoke ends one rule, or all ("*").
func (c *Core) revoke(ev Revoke) []Effect {
	var effects []Effect
	for _, r := range c.ruleList() {
		if ev.Rule == r.ID || ev.Rule == "*" {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	return effects
}

// endLeases ends what depends on a clock that was set back. A block stays.
func (c *Core) endLeases() []Effect {
	var effects []Effect
	for _, r := range c.ruleList() {
		if r.Scope != policy.Block {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	return effects
}

// tickRules removes rules that are over, and leases that have none.
func (c *Core) tickRules(now time.Time) []Effect {
	effects := c.dropStray()
	for _, r := range c.ruleList() {
		if r.Over(now) {
			effects = append(effects, c.dropRule(r.ID)...)
		}
	}
	return effects
}
