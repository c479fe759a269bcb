//go:build !js

package mailbox

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestLogsShowNeitherKeyNorAddress(t *testing.T) {
	k := testKey(t)
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "key", k, "address", k.Address())
	fmt.Fprintf(&out, "%v %+v %#v %s", k, k, k, k)
	for _, secret := range []string{hex.EncodeToString(k.Seed()), k.Address().String(), hex.EncodeToString(k.Public()), "7, 7", "7 7"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("output shows %q: %s", secret, &out)
		}
	}
	if !strings.Contains(out.String(), "address="+k.Address().LogName()) || len(k.Address().LogName()) != 6 {
		t.Errorf("no log name in %s", &out)
	}
}
