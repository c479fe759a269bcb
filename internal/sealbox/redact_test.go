//go:build !js

package sealbox

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// prints reports in which notation text holds b: hex, base64, decimal.
func prints(text string, b []byte) string {
	text = strings.ToLower(text)
	for name, s := range map[string]string{
		"hex":     hex.EncodeToString(b[:6]),
		"decimal": strings.Trim(fmt.Sprint(b[:6]), "[]"),
		"Go":      strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b[:6]), "[]byte{"), "}"),
		"base64":  strings.ToLower(base64.StdEncoding.EncodeToString(b[:6])),
		"raw":     strings.ToLower(string(b[:6])),
	} {
		if strings.Contains(text, s) {
			return name
		}
	}
	return ""
}

// TestNothingSecretIsPrinted by any format, by either handler of slog, alone or
// inside something else.
func TestNothingSecretIsPrinted(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	shared, err := NewShared(k, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	pub := k.Public()
	e := Epoch{ID: EpochID{1}, Send: Key32(bytes.Repeat([]byte("Send-k"), 6)[:32]), Recv: Key32(bytes.Repeat([]byte("Recv-k"), 6)[:32])}
	secrets := map[string][]byte{"private key": k.Bytes(), "public key": pub[:], "shared key": shared.key[:], "sending key": e.Send[:], "receiving key": e.Recv[:]}
	check := func(how string, v any, text string) {
		t.Helper()
		for name, b := range secrets {
			if as := prints(text, b); as != "" {
				t.Errorf("%s of %T prints the %s (%s)", how, v, name, as)
			}
		}
	}
	values := []any{k, &k, pub, &pub, e, &e, e.Send, &e.Send, shared, *shared,
		struct{ E Epoch }{e}, struct{ E *Epoch }{&e}, struct{ S *Shared }{shared}, struct{ K PrivateKey }{k}, struct{ P PublicKey }{pub},
		[]PublicKey{pub}, map[string]Epoch{"e": e}}
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			check(format, v, fmt.Sprintf(format, v))
		}
	}
	// slog's JSON handler asks MarshalText of what is inside, so only the types
	// themselves are safe there.
	for _, v := range []any{k, &k, pub, &pub, e, &e, e.Send, &e.Send, shared, *shared} {
		var out bytes.Buffer
		for how, h := range map[string]slog.Handler{"slog text": slog.NewTextHandler(&out, nil), "slog JSON": slog.NewJSONHandler(&out, nil)} {
			out.Reset()
			slog.New(h).Info("x", "v", v)
			check(how, v, out.String())
		}
	}
}
