package daemon

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
)

// FuzzAPI: whatever a program of this user posts: an error with a code and a
// sentence, and nothing happens. A pairing that would begin is not tried here.
func FuzzAPI(f *testing.F) {
	d := newDaemon(f)
	h := d.api()
	paths := []string{"/v1/pair", "/v1/pair/answer", "/v1/unpair", "/v1/none"}
	f.Add(byte(0), []byte(`{"name":"laptop","relay":"http://example.com","app":"https://a"}`))
	f.Add(byte(0), []byte(`{"name":"laptop","relay":"https://a_b.example","app":"https://a/"}`))
	f.Add(byte(1), []byte(`{"same":true}`))
	f.Add(byte(2), []byte(`{"phone":"ana\u001b[2J"}`))
	f.Add(byte(2), []byte(`null`))
	f.Fuzz(func(t *testing.T, i byte, body []byte) {
		path := paths[int(i)%len(paths)]
		var in control.PairRequest
		if path == "/v1/pair" && json.NewDecoder(strings.NewReader(string(body))).Decode(&in) == nil {
			_, err1 := mailbox.CanonicalOrigin(in.Relay)
			_, err2 := mailbox.CanonicalOrigin(in.App)
			if err1 == nil && err2 == nil {
				if n := phoneName(in.Name); n == "" || utf8.RuneCountInString(n) > maxName || !utf8.ValidString(n) {
					t.Errorf("a name of %q", n)
				}
				return
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("POST", path, string(body)))
		e := new(control.Error)
		if w.Code < 400 || path != "/v1/none" && (json.Unmarshal(w.Body.Bytes(), e) != nil || e.Code == "" || e.Text == "" || e.Code == control.CodeInternal) {
			t.Errorf("%s %q: %d %s", path, body, w.Code, w.Body)
		}
		if w.Body.Len() > 8*maxRequest || d.pair != nil {
			t.Errorf("%s: an answer of %d bytes, a pairing %v", path, w.Body.Len(), d.pair)
		}
	})
}
