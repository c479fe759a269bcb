package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCheckApp(t *testing.T) {
	files := map[string]string{"/": "page", "/app.js": "script", "/gone.css": "", "/broken.css": ""}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/gone.css":
			http.NotFound(w, r)
		case "/broken.css":
			w.WriteHeader(500)
		default:
			w.Write([]byte(files[r.URL.Path]))
		}
	}))
	defer srv.Close()
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	right := map[string]string{"index.html": hash("page"), "app.js": hash("script")}
	with := func(name, text string) map[string]string {
		return map[string]string{"index.html": hash("page"), name: hash(text)}
	}
	const secret = "SECRETSECRETSECRET"
	rows := []struct {
		name           string
		hashes         map[string]string
		args           string
		code           int
		stdout, stderr string
	}{
		{"same", right, "check --app " + srv.URL, 0, srv.URL + " serves the same app as this release", "other files to others"},
		{"configured", right, "check --app", 0, "ok    index.html\n", ""},
		{"a pasted link", right, "check --app " + srv.URL + "/#" + secret, 0, "same app", ""},
		{"differs", with("app.js", "another"), "check --app", 1, "fail  app.js differs: " + hash("script"), "does not serve the app of this release"},
		{"missing", with("gone.css", "x"), "check --app", 1, "fail  gone.css is missing", "kr-relay --version"},
		{"not read", with("broken.css", "x"), "check --app", 5, "fail  broken.css: the server answered with status 500", "try again"},
		{"not there", right, "check --app " + dead.URL, 5, "", "is the address right"},
		{"built without", nil, "check --app", 1, "", "go run ./web/build"},
		{"no origin", right, "check --app http://relay.example/#" + secret, 2, "", "https"},
		{"a path", right, "check --app https://relay.example/app", 2, "", "like this"},
		{"two", right, "check --app a b", 2, "", "kr check --help"},
		{"a URL, and not what of it", right, "check " + srv.URL, 2, "", "kr check --app"},
		{"two things", right, "check --app --fix", 2, "", "kr check --app"},
	}
	home := t.TempDir()
	if code, _, errs := krOf(t, right, home, "check", "--app"); code != 2 || !strings.Contains(errs, "which address") || asked > 0 {
		t.Errorf("without a setting: %d, %s", code, errs)
	}
	if code, _, errs := kr(t, home, "config", "set", "relay", "https://relay.example"); code != 0 {
		t.Fatal(errs)
	}
	if code, _, errs := kr(t, home, "config", "set", "app", srv.URL); code != 0 { // goes before the relay
		t.Fatal(errs)
	}
	for _, r := range rows {
		code, out, errs := krOf(t, r.hashes, home, strings.Fields(r.args)...)
		if code != r.code || !strings.Contains(out, r.stdout) || !strings.Contains(errs, r.stderr) || strings.Contains(out+errs, secret) {
			t.Errorf("%s: kr %s = %d\n%s%s", r.name, r.args, code, out, errs)
		}
	}

	code, out, _ := krOf(t, with("app.js", "another"), home, "check", "--app", "--json")
	var got struct {
		SchemaVersion int `json:"schema_version"`
		Origin        string
		Result        string
		Files         []map[string]string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 1 || got.SchemaVersion != 1 || got.Origin != srv.URL || got.Result != "different" || len(got.Files) != 2 ||
		got.Files[0]["path"] != "app.js" || got.Files[0]["result"] != "different" || got.Files[0]["want"] != hash("another") || got.Files[0]["sha256"] != hash("script") ||
		got.Files[1]["result"] != "same" {
		t.Errorf("kr check --app --json = %d, %v\n%s", code, err, out)
	}
}
