package upload

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"kryptonite/internal/awsuser/awstest"
)

func now() time.Time { return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) }

// tokenOf is what a person would have for a service.
func tokenOf(s Service) Token {
	if s.OneToken() {
		return token
	}
	return s.Token(func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": awstest.AccessKey, "AWS_SECRET_ACCESS_KEY": awstest.Secret}[name]
	})
}

// hosts are the servers and regions that each service is tried at.
func hosts(s Service) []string {
	return map[string][]string{"github-enterprise": {"git.example.com:8443", "acme.ghe.com"}, "gitlab": {"", "gitlab.example"}, "aws": {"eu-central-1"}}[s.Name]
}

// TestByAPI: every service of the table gets a key once, by the calls that its
// documentation names.
func TestByAPI(t *testing.T) {
	d := newDouble(t)
	for _, s := range Services() {
		said := hosts(s)
		if said == nil {
			said = []string{""}
		}
		for _, host := range said {
			host, err := s.Host(host, func(string) string { return "" })
			if err != nil {
				t.Fatal(s.Name, err)
			}
			d.have = []string{`{"key": "ssh-ed25519 AAAAothers"}`}
			out, err := s.ByAPI(t.Context(), d, tokenOf(s), key(), host, now())
			if calls := d.took(); err != nil || out != Added || !strings.HasPrefix(calls[len(calls)-1], "POST ") {
				t.Errorf("%s at %q: %q, %v, by %q", s.Name, host, out, err, calls)
			}
			for _, listed := range []string{`{"key": "` + line + `"}`, `{"key": "` + strings.ReplaceAll(key().blob(), "/", `\/`) + `"}`} {
				d.have = append(d.have[:1], listed)
				out, err = s.ByAPI(t.Context(), d, tokenOf(s), key(), host, now())
				if calls := d.took(); err != nil || out != There || s.Name != "aws" && slices.ContainsFunc(calls, func(c string) bool { return strings.HasPrefix(c, "POST") }) {
					t.Errorf("%s at %q, where it is: %q, %v, by %q", s.Name, host, out, err, calls)
				}
			}
		}
	}
}

// TestRefusals: what services say, in each one's shape.
func TestRefusals(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status); io.WriteString(w, body) }
	}
	const bb = "/2.0/users/{b0b}/ssh-keys"
	for _, c := range []struct {
		service, at string
		refuse      func(http.ResponseWriter)
		status      int
		say         string
		token       bool
	}{
		{"github", "POST /user/keys", answer(422, `{"message":"Validation Failed","errors":[{"resource":"PublicKey","code":"custom","field":"key","message":"key is already in use"}],"documentation_url":"https://docs.github.com"}`),
			422, "GitHub answered with status 422: Validation Failed; key is already in use", false},
		{"github", "GET /user/keys", answer(401, `{"message":"Bad credentials"}`), 401, "Bad credentials", true},
		{"github", "POST /user/keys", answer(404, `{"message":"Not Found"}`), 404, "Not Found", true},
		{"gitlab", "POST /api/v4/user/keys", answer(400, `{"message":{"fingerprint_sha256":["has already been taken"],"key":["has already been taken"]}}`),
			400, "fingerprint_sha256 has already been taken; key has already been taken", false},
		{"gitlab", "POST /api/v4/user/keys", answer(403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`),
			403, "higher privileges", true},
		{"bitbucket", "GET /2.0/user", answer(401, ""), 401, "Bitbucket Cloud answered with status 401", true},
		{"bitbucket", "POST " + bb, answer(400, `{"type":"error","error":{"message":"key: Someone has already registered that SSH key."}}`),
			400, "Someone has already registered that SSH key.", false},
		{"digitalocean", "POST /v2/account/keys", answer(422, `{"id":"unprocessable_entity","message":"SSH Key is already in use on your account"}`),
			422, "SSH Key is already in use on your account", false},
		{"heroku", "POST /account/keys", answer(422, `{"id":"invalid_params","message":"Fingerprint already added."}`), 422, "Fingerprint already added.", false},
		{"aws", "POST /", answer(400, `<?xml version="1.0"?><Response><Errors><Error><Code>InvalidKeyPair.Duplicate</Code><Message>The keypair already exists</Message></Error></Errors></Response>`),
			400, "InvalidKeyPair.Duplicate: The keypair already exists", false},
		{"gcp", "POST /v1/users/ana@example.com:importSshPublicKey", answer(403, `{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED"}}`),
			403, "insufficient authentication scopes", true},
		{"github", "POST /user/keys", answer(500, "<html>\x1b[31mSorry</html>"), 500, "status 500", false},
		{"github", "GET /user/keys", func(w http.ResponseWriter) { w.Header().Set("Location", "https://evil.example/"); w.WriteHeader(302) }, 0, "", false},
	} {
		d := newDouble(t)
		d.refuse[c.at] = c.refuse
		s, ok := Find(c.service)
		if !ok {
			t.Fatal(c.service)
		}
		host, _ := s.Host(append(hosts(s), "")[0], func(string) string { return "" })
		out, err := s.ByAPI(t.Context(), d, tokenOf(s), key(), host, now())
		if c.status == 0 { // a list that leads elsewhere is no list; nothing goes there, and the key is added
			if err != nil || out != Added || len(d.took()) != 2 {
				t.Errorf("%s %s: %q, %v", c.service, c.at, out, err)
			}
			continue
		}
		e := new(APIError)
		if !errors.As(err, &e) || e.Status != c.status || !strings.Contains(err.Error(), c.say) || e.Token() != c.token || e.Needs == "" || strings.Contains(err.Error(), token) {
			t.Errorf("%s %s: %v", c.service, c.at, err)
		}
	}
}

// TestStrangeAnswers are errors, of bounded length.
func TestStrangeAnswers(t *testing.T) {
	huge := func(w http.ResponseWriter) {
		for range maxAnswer/1024 + 2 {
			io.WriteString(w, strings.Repeat("x", 1024))
		}
	}
	for _, c := range []struct {
		at     string
		refuse func(http.ResponseWriter)
		say    string
	}{
		{"GET /2.0/user", func(w http.ResponseWriter) { io.WriteString(w, `{"uuid": 7}`) }, `no "uuid"`},
		{"GET /2.0/user", func(w http.ResponseWriter) { io.WriteString(w, `nonsense`) }, "whose token it is"},
		{"GET /2.0/user", huge, "too long"},
		{"POST /2.0/users/{b0b}/ssh-keys", func(w http.ResponseWriter) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"message": "%s"}`, strings.Repeat("ä", 4000))
		}, "ä…"},
	} {
		d := newDouble(t)
		d.refuse[c.at] = c.refuse
		s, _ := Find("bitbucket")
		if _, err := s.ByAPI(t.Context(), d, token, key(), "", now()); err == nil || !strings.Contains(err.Error(), c.say) || len(err.Error()) > 600 {
			t.Errorf("%s: %.700v, want %q", c.at, err, c.say)
		}
	}
}

func TestBasic(t *testing.T) {
	d := newDouble(t)
	for i := range d.may["bitbucket"] {
		d.may["bitbucket"][i].auth = "Basic YW5hQGV4YW1wbGUuY29tOnMzY3JldA=="
	}
	s, _ := Find("bitbucket")
	if out, err := s.ByAPI(t.Context(), d, "ana@example.com:s3cret", key(), "", now()); err != nil || out != Added {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTokens(t *testing.T) {
	env := func(all ...string) func(string) string {
		return func(name string) string {
			for _, e := range all {
				if n, v, _ := strings.Cut(e, "="); n == name {
					return v
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		service string
		env     []string
		want    Token
	}{
		{"github", []string{"GITHUB_TOKEN=b", "GH_TOKEN= a\n"}, "a"},
		{"github", []string{"GITHUB_TOKEN=b", "GH_ENTERPRISE_TOKEN=c"}, "b"},
		{"github-enterprise", []string{"GITHUB_TOKEN=b"}, ""},
		{"digitalocean", []string{"DIGITALOCEAN_TOKEN=d"}, "d"},
		{"aws", []string{"AWS_ACCESS_KEY_ID=i"}, ""},
		{"aws", []string{"AWS_ACCESS_KEY_ID=i", "AWS_SECRET_ACCESS_KEY=s"}, "i\ns\n"},
		{"aws", []string{"AWS_ACCESS_KEY_ID=i", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t"}, "i\ns\nt"},
	} {
		s, _ := Find(c.service)
		if got := s.Token(env(c.env...)); got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.service, c.env, string(got), string(c.want))
		}
	}
	var text strings.Builder
	slog.New(slog.NewJSONHandler(&text, nil)).Info("x", "token", Token(token))
	if all := fmt.Sprintf("%v %s %q %#v %+v %s", Token(token), Token(token), Token(token), Token(token), struct{ T Token }{token}, text.String()); strings.Contains(all, token) {
		t.Errorf("a token prints: %s", all)
	}
	s, _ := Find("github")
	if _, err := s.ByAPI(t.Context(), newDouble(t), "two\r\nlines: x", key(), "github.com", now()); err == nil || strings.Contains(err.Error(), "lines: x") {
		t.Errorf("a token of two lines: %v", err)
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct{ service, said, env, want, bad string }{
		{"github", "", "", "github.com", ""},
		{"github", "x.example", "", "", "one place only"},
		{"github-enterprise", "", "", "", "needs the name of your server"},
		{"github-enterprise", "", "GH_HOST=git.corp", "git.corp", ""},
		{"github-enterprise", "git.corp", "GH_HOST=x", "git.corp", ""},
		{"github-enterprise", "https://git.corp/", "", "", "is no host"},
		{"github-enterprise", "git.corp@evil.example", "", "", "is no host"},
		{"github-enterprise", "-x", "", "", "is no host"},
		{"gitlab", "", "", "gitlab.com", ""},
		{"aws", "", "", "", ""},
		{"aws", "", "AWS_DEFAULT_REGION=us-gov-west-1", "us-gov-west-1", ""},
		{"aws", "evil.example/", "", "", "is no region"},
	} {
		s, _ := Find(c.service)
		name, value, _ := strings.Cut(c.env, "=")
		got, err := s.Host(c.said, func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		if got != c.want || (err == nil) != (c.bad == "") || err != nil && !strings.Contains(err.Error(), c.bad) {
			t.Errorf("%s %q %q: %q, %v, want %q %q", c.service, c.said, c.env, got, err, c.want, c.bad)
		}
	}
	s, _ := Find("aws")
	if _, err := s.ByAPI(t.Context(), newDouble(t), "a\nb\n", key(), "", now()); err == nil || !strings.Contains(err.Error(), "needs a region") {
		t.Errorf("no region: %v", err)
	}
	if s, _ := Find("GitLab"); s.PageAt("gitlab.example") != "https://gitlab.example/-/user_settings/ssh_keys" {
		t.Errorf("the page is %q", s.PageAt("gitlab.example"))
	}
	if _, ok := Find("sourceforge"); ok {
		t.Error("a service that is not there")
	}
}

// TestRefusedTypes pins what is known of which service takes which keys.
func TestRefusedTypes(t *testing.T) {
	var got []string
	for _, s := range Services() {
		for _, typ := range []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ecdsa-sha2-nistp256@openssh.com"} {
			if why := s.Refuses(typ); why != "" {
				got = append(got, s.Name+" "+typ)
			}
		}
	}
	want := []string{"bitbucket sk-ecdsa-sha2-nistp256@openssh.com", "heroku ecdsa-sha2-nistp256", "heroku sk-ecdsa-sha2-nistp256@openssh.com",
		"aws ecdsa-sha2-nistp256", "aws sk-ecdsa-sha2-nistp256@openssh.com"}
	if !slices.Equal(got, want) {
		t.Errorf("refused are %q, want %q", got, want)
	}
}

func FuzzSaid(f *testing.F) {
	f.Add([]byte(`{"message":{"key":["is taken"]},"errors":[{"message":"x"}]}`))
	f.Add([]byte(`<Response><Errors><Error><Code>a</Code></Error></Errors></Response>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := said(b); len(s) > maxSaid+len("…") {
			t.Errorf("said(%q) has %d bytes", b, len(s))
		}
	})
}

// TestSignV4 as AWS's SDK signs, with and without a session.
func TestSignV4(t *testing.T) {
	body := []byte("Action=DescribeKeyPairs&Version=2016-11-15")
	for _, session := range []string{"", "se/ss+ion=="} {
		ours, err := http.NewRequest(http.MethodPost, "https://ec2.us-gov-west-1.amazonaws.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		ours.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		theirs := ours.Clone(t.Context())
		if err := signV4(ours, Token("ID\nsecret/+\n"+session), body, now()); err != nil {
			t.Fatal(err)
		}
		err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "ID", SecretAccessKey: "secret/+", SessionToken: session},
			theirs, digest(body), "ec2", "us-gov-west-1", now())
		if err != nil || ours.Header.Get("Authorization") != theirs.Header.Get("Authorization") || ours.Header.Get("X-Amz-Security-Token") != session {
			t.Errorf("%v\n%v\n%v", ours.Header, theirs.Header, err)
		}
	}
	get, _ := http.NewRequest(http.MethodGet, "https://ec2.eu-central-1.amazonaws.com/", nil)
	if signV4(get, "a\nb\n", nil, now()) == nil || bearerOrBasic(get, "x", nil, now()) != nil {
		t.Error("a GET is signed, or a token is not taken")
	}
}
