package cli

import (
	"slices"
	"testing"
)

func TestLasting(t *testing.T) {
	keep := []string{"HOME=/home/ana", "PATH=/usr/bin", "KR_QUIET=1", "AWS_PROFILE=kr", "https_proxy=http://p", "NO_PROXY=x", "XDG_RUNTIME_DIR=/run/user/1", "DBUS_SESSION_BUS_ADDRESS=unix:path=/b",
		"LC_ALL=C", "SSH_AUTH_SOCK=/a", "SSL_CERT_FILE=/c"}
	drop := []string{"GIT_DIR=.", "GIT_CONFIG_COUNT=1", "GIT_SSH_COMMAND=x", "LD_PRELOAD=/x.so", "DYLD_INSERT_LIBRARIES=/x", "GODEBUG=execerrdot=0", "BASH_ENV=/x", "ENV=/x", "PERL5LIB=/x", "PYTHONPATH=/x",
		"SSH_ASKPASS=/x", "SSLKEYLOGFILE=/x", "LESSOPEN=|x", "DIRENV_DIFF=x", "GITHUB_TOKEN=x", "PATHS=/x", "KRAKEN=1", "home=/x"}
	if got := lasting(append(slices.Clone(drop), keep...)); !slices.Equal(got, keep) {
		t.Errorf("krd gets %q, want %q", got, keep)
	}
}
