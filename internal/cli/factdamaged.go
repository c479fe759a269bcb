package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// setAside says for each of krd's files what is missing since it was damaged, and
// the command that brings that back; "" where nothing does.
var setAside = []struct{ file, lost, fix string }{
	{"pairings/", "that phone is not paired any more", "kr pair"},
	{"farewells/", "a phone may not know that it was unpaired: unpair there, too", ""},
	{"queues/", "two queues at SQS may be left: delete them in AWS's console", ""},
	{"endpoints/", "an endpoint at SNS may be left: delete it in AWS's console", ""},
	{recordFile, "kr uninstall does not know what kr setup made", "kr setup"},
	{configFile, "the settings are gone", "kr config"},
	{"limits.json", "no key is limited to some hosts any more", "kr key limit"},
	{"sns.json", "SNS wakes no phone any more", "kr channel add sns"},
	{"log.journal", "kr log begins anew, and does not know how the phones' logs ended", ""},
	{"heard.json", "it is not known when phones last spoke", ""},
}

// lookDamaged names the files that were found damaged and set aside, for as long as
// they are there.
func lookDamaged(_ context.Context, c *checkup) []fact {
	var found []string
	for _, pattern := range []string{"*.damaged-*", "*/*.damaged-*"} {
		names, err := fs.Glob(os.DirFS(c.home), pattern)
		if err != nil {
			return one(fact{name: "damaged", state: factFail, text: err.Error(), fix: "ls -l " + shellQuoted(c.home)})
		}
		found = append(found, names...)
	}
	var facts []fact
	for _, s := range setAside {
		own := slices.DeleteFunc(slices.Clone(found), func(name string) bool { return !strings.HasPrefix(name, s.file) })
		if len(own) == 0 {
			continue
		}
		fix := "rm " + shellQuoted(filepath.Join(c.home, own[0]))
		if s.fix != "" {
			fix = s.fix + ", and then " + fix
		}
		facts = append(facts, warn("damaged", fix, "%s was found damaged and set aside%s; %s", tilde(filepath.Join(c.home, own[0])), andMore(own), s.lost)...)
	}
	return facts
}
