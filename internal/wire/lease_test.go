package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

// TestLeasesAreBounded: what breaks a rule of [kr-protocol] §4.11 makes a
// message none, in both directions.
func TestLeasesAreBounded(t *testing.T) {
	token := func(size int) string {
		return `"token":"` + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, size)) + `"`
	}
	good := `{"rule":"12",` + token(32) + `}`
	tokens := map[string]bool{
		good: true, `{"rule":"` + strings.Repeat("9", maxRuleID) + `",` + token(32) + `}`: true, `{"rule":"12",` + token(32) + `,"new":1}`: true,
		`{"rule":"` + strings.Repeat("9", maxRuleID+1) + `",` + token(32) + `}`: false,
		`{"rule":"",` + token(32) + `}`:                                         false, `{"rule":"1a",` + token(32) + `}`: false, `{"rule":"\u001b[2J",` + token(32) + `}`: false, `{` + token(32) + `}`: false,
		`{"rule":"12",` + token(31) + `}`: false, `{"rule":"12",` + token(33) + `}`: false, `{"rule":"12","token":""}`: false, `{"rule":"12"}`: false,
		`{"rule":"12","token":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"}`: false,
	}
	for text, fits := range tokens {
		for _, m := range []string{`{"request":{"k":1,"sign_request":{"lease_tokens":[` + text + `]}}}`, `{"response":{"k":1,"sign_response":{"lease_token":` + text + `}}}`} {
			if _, err := Decode(sealbox.Pad([]byte(m))); (err == nil) != fits || err != nil && !errors.Is(err, ErrMessage) {
				t.Errorf("%s: %v, fits %v", m, err, fits)
			}
		}
	}
	for n, fits := range map[int]bool{0: true, MaxLeaseTokens: true, MaxLeaseTokens + 1: false} {
		list := strings.Join(slices.Repeat([]string{good}, n), ",")
		if _, err := Decode(sealbox.Pad(fmt.Appendf(nil, `{"request":{"k":1,"sign_request":{"lease_tokens":[%s]}}}`, list))); (err == nil) != fits {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
	for n, fits := range map[int]bool{1: true, MaxLeasesOver: true, MaxLeasesOver + 1: false} {
		list := strings.Join(slices.Repeat([]string{`"3"`}, n), ",")
		if _, err := Decode(sealbox.Pad(fmt.Appendf(nil, `{"notice":{"k":1,"leases_over":[%s]}}`, list))); (err == nil) != fits {
			t.Errorf("%d leases that are over: %v", n, err)
		}
	}
	if _, err := Decode(sealbox.Pad([]byte(`{"notice":{"k":1,"leases_over":["x"]}}`))); !errors.Is(err, ErrMessage) {
		t.Errorf("no id of a rule: %v", err)
	}
}

// TestTokensDoNotPrint, however somebody tries.
func TestTokensDoNotPrint(t *testing.T) {
	lease := LeaseToken{Rule: "12", Token: sealbox.Key32(bytes.Repeat([]byte{0xab}, 32))}
	m := Message{Request: &Request{Sign: &SignRequest{LeaseTokens: []LeaseToken{lease}}}}
	var said bytes.Buffer
	for _, v := range []any{lease, &lease, m.Request.Sign.LeaseTokens, *m.Request.Sign, SignResponse{LeaseToken: lease}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			fmt.Fprintf(&said, verb+"\n", v)
		}
	}
	for _, secret := range []string{"abab", "ABAB", "171 171", "0xab", base64.StdEncoding.EncodeToString(lease.Token[:])[:8]} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("a token prints as %q: %s", secret, said.String())
		}
	}
}
