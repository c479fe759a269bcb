//go:build !js

package wire

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

// TestLogsHoldNoSecret, by either handler of slog.
func TestLogsHoldNoSecret(t *testing.T) {
	lease := LeaseToken{Rule: "12", Token: sealbox.Key32(bytes.Repeat([]byte{0xab}, 32))}
	token := PushToken{PlatformGCM, "device-of-ana"}
	push, queues := somePush(t), Meeting{Region: "eu-central-1", Account: "123456789012"}.Queues(sealbox.PublicKey{1})
	var said bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&said, nil), slog.NewJSONHandler(&said, nil)} {
		slog.New(h).Info("x", "lease", lease, "pointer", &lease, "token", lease.Token, "push", push, "its pointer", &push, "device", token, "wakers", Wakers{&push, &token}, "queues", queues, "and", Address{SQS: &queues})
	}
	for _, secret := range []string{"abab", "ABAB", "171 171", base64.StdEncoding.EncodeToString(lease.Token[:])[:8], "push.example", token.Token, base64.StdEncoding.EncodeToString(push.VAPID)[:8], queues.ToPhone} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("a log holds %q: %s", secret, said.String())
		}
	}
}
