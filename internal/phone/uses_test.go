package phone

import (
	"reflect"
	"testing"
	"time"

	"kryptonite/internal/auditlog"
)

func TestUses(t *testing.T) {
	entry := func(at int64, key, user, host string, d auditlog.Decision) auditlog.Entry {
		return auditlog.Entry{Unix: at, Key: key, User: user, Host: host, HostKey: "print of " + host, Decision: d}
	}
	sig := auditlog.Entry{Unix: 6, Key: "a", Namespace: "git", Decision: auditlog.Allowed}
	got := Uses([]auditlog.Entry{
		entry(1, "a", "root", "one", auditlog.Allowed),
		entry(2, "a", "root", "two", auditlog.Allowed),
		entry(3, "a", "root", "refused", auditlog.Refused),
		entry(4, "b", "root", "three", auditlog.Allowed),
		entry(5, "a", "root", "one", auditlog.Allowed),
		sig,
		entry(7, "a", "git", "one", auditlog.Allowed),
	}, "a")
	want := []Use{
		{User: "git", Host: "one", HostKey: "print of one", Last: time.Unix(7, 0)},
		{Namespace: "git", Last: time.Unix(6, 0)},
		{User: "root", Host: "one", HostKey: "print of one", Last: time.Unix(5, 0)},
		{User: "root", Host: "two", HostKey: "print of two", Last: time.Unix(2, 0)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
