package upload

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"kryptonite/internal/awsuser/awstest"
)

const (
	token = "t0ken-of-nobody"
	line  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHu/TpHuZWg7MEAef3e6KrqUZHBb5sYZhPvRVrCBmsH+ Jürgen’s phone"
	title = "Kryptonite: Jürgen’s phone"
)

func key() Key { return Key{Line: line, Type: "ssh-ed25519", Title: title} }

// endpoint is one request that a double takes, in full.
type endpoint struct {
	method, url string // with the query
	auth        string // "": AWS's signature
	header      string // "Name: value" that must be there, too
	body        string // "": none
	status      int
	answer      string // to a good one; %s in it are the keys that are there
}

// double is all services at once, as their documentation describes the few calls
// that are used, written down here once more and apart from the table. What is not
// in it, to the letter, is a fault of the test.
type double struct {
	t      *testing.T
	srv    *httptest.Server
	may    map[string][]endpoint // by service
	mu     sync.Mutex
	calls  []string
	have   []string                             // keys that are there, as the service lists them
	refuse map[string]func(http.ResponseWriter) // by method and path
}

func newDouble(t *testing.T) *double {
	d := &double{t: t, refuse: map[string]func(http.ResponseWriter){}, may: endpoints()}
	d.srv = httptest.NewTLSServer(d)
	t.Cleanup(d.srv.Close)
	return d
}

// RoundTrip brings a request for any https origin to the double.
func (d *double) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("a request to %s without TLS", r.URL)
	}
	to := r.Clone(r.Context())
	to.Host = r.URL.Host
	to.URL.Host = strings.TrimPrefix(d.srv.URL, "https://")
	return d.srv.Client().Transport.RoundTrip(to)
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	at := r.Method + " https://" + r.Host + r.URL.RequestURI()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, at)
	if strings.Contains(at, token) || strings.Contains(string(body), token) {
		d.t.Errorf("the token is in %s %s", at, body)
	}
	for _, service := range d.may {
		for _, e := range service {
			if e.method+" "+e.url != at || e.method == "POST" && !sameBody(e.body, string(body), r.Header.Get("Content-Type")) {
				continue
			}
			if e.body == "" && len(body) > 0 {
				d.t.Errorf("%s has a body: %s", at, body)
			}
			if name, value, _ := strings.Cut(e.header, ": "); name != "" && r.Header.Get(name) != value {
				d.t.Errorf("%s: %s is %q", at, name, r.Header.Get(name))
			}
			switch got := r.Header.Get("Authorization"); {
			case e.auth == "":
				if refusal := awstest.Verify(r, body, "ec2", []string{"content-type"}, now()); refusal != nil {
					d.t.Errorf("%s: %+v", at, refusal)
				}
			case got != e.auth:
				d.t.Errorf("%s: Authorization is %q, want %q", at, got, e.auth)
			}
			if f := d.refuse[e.method+" "+r.URL.Path]; f != nil {
				f(w)
				return
			}
			w.WriteHeader(e.status)
			answer := e.answer
			if strings.Contains(answer, "%s") {
				answer = fmt.Sprintf(answer, strings.Join(d.have, ","))
			}
			io.WriteString(w, answer)
			return
		}
	}
	d.t.Errorf("no service takes %s with %s", at, body)
	w.WriteHeader(http.StatusNotFound)
}

// sameBody compares JSON, or a form, by meaning.
func sameBody(want, got, kind string) bool {
	if strings.HasPrefix(want, "{") {
		var a, b map[string]any
		return kind == "application/json" && json.Unmarshal([]byte(want), &a) == nil && json.Unmarshal([]byte(got), &b) == nil &&
			fmt.Sprint(a) == fmt.Sprint(b)
	}
	a, err1 := url.ParseQuery(want)
	b, err2 := url.ParseQuery(got)
	return err1 == nil && err2 == nil && strings.HasPrefix(kind, "application/x-www-form-urlencoded") && a.Encode() == b.Encode()
}

// endpoints is what the services' documentation says.
func endpoints() map[string][]endpoint {
	bearer := "Bearer " + token
	const gh = "X-GitHub-Api-Version: 2022-11-28"
	ghAdd := `{"title": "` + title + `", "key": "` + line + `"}`
	ec2 := "https://ec2.eu-central-1.amazonaws.com/"
	return map[string][]endpoint{
		"github": {
			{"GET", "https://api.github.com/user/keys?per_page=100", bearer, gh, "", 200, `[%s]`},
			{"POST", "https://api.github.com/user/keys", bearer, "Accept: application/vnd.github+json", ghAdd, 201, `{"id": 1}`},
		},
		"github-enterprise": {
			{"GET", "https://git.example.com:8443/api/v3/user/keys?per_page=100", bearer, gh, "", 200, `[%s]`},
			{"POST", "https://git.example.com:8443/api/v3/user/keys", bearer, gh, ghAdd, 201, `{"id": 1}`},
			{"GET", "https://api.acme.ghe.com/user/keys?per_page=100", bearer, gh, "", 200, `[%s]`},
			{"POST", "https://api.acme.ghe.com/user/keys", bearer, gh, ghAdd, 201, `{"id": 1}`},
		},
		"gitlab": {
			{"GET", "https://gitlab.com/api/v4/user/keys?per_page=100", bearer, "", "", 200, `[%s]`},
			{"POST", "https://gitlab.com/api/v4/user/keys", bearer, "", ghAdd, 201, `{"id": 1}`},
			{"GET", "https://gitlab.example/api/v4/user/keys?per_page=100", bearer, "", "", 200, `[%s]`},
			{"POST", "https://gitlab.example/api/v4/user/keys", bearer, "", ghAdd, 201, `{"id": 1}`},
		},
		"bitbucket": {
			{"GET", "https://api.bitbucket.org/2.0/user", bearer, "", "", 200, `{"uuid": "{b0b}"}`},
			{"GET", "https://api.bitbucket.org/2.0/users/%7Bb0b%7D/ssh-keys?pagelen=100", bearer, "", "", 200, `{"values": [%s]}`},
			{"POST", "https://api.bitbucket.org/2.0/users/%7Bb0b%7D/ssh-keys", bearer, "", `{"label": "` + title + `", "key": "` + line + `"}`, 201, `{}`},
		},
		"digitalocean": {
			{"GET", "https://api.digitalocean.com/v2/account/keys?per_page=200", bearer, "", "", 200, `{"ssh_keys": [%s]}`},
			{"POST", "https://api.digitalocean.com/v2/account/keys", bearer, "", `{"name": "` + title + `", "public_key": "` + line + `"}`, 201, `{}`},
		},
		"heroku": {
			{"GET", "https://api.heroku.com/account/keys", bearer, "Accept: application/vnd.heroku+json; version=3", "", 200, `[%s]`},
			{"POST", "https://api.heroku.com/account/keys", bearer, "Accept: application/vnd.heroku+json; version=3", `{"public_key": "` + line + `"}`, 201, `{}`},
		},
		"aws": {
			{"POST", ec2, "", "", "Action=DescribeKeyPairs&IncludePublicKey=true&Version=2016-11-15", 200, `<DescribeKeyPairsResponse><keySet>%s</keySet></DescribeKeyPairsResponse>`},
			{"POST", ec2, "", "", "Action=ImportKeyPair&KeyName=Kryptonite%3A+J-rgen%27s+phone&Version=2016-11-15&PublicKeyMaterial=" +
				"c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUh1L1RwSHVaV2c3TUVBZWYzZTZLcnFVWkhCYjVzWVpoUHZSVnJDQm1zSCsgSsO8cmdlbuKAmXMgcGhvbmU%3D",
				200, `<ImportKeyPairResponse/>`},
		},
		"gcp": {
			{"GET", "https://openidconnect.googleapis.com/v1/userinfo", bearer, "", "", 200, `{"email": "ana@example.com"}`},
			{"GET", "https://oslogin.googleapis.com/v1/users/ana@example.com/loginProfile", bearer, "", "", 200, `{"sshPublicKeys": {"x": [%s]}}`},
			{"POST", "https://oslogin.googleapis.com/v1/users/ana@example.com:importSshPublicKey", bearer, "", `{"key": "` + line + `"}`, 200, `{}`},
		},
	}
}

// took returns the calls since the last time, and forgets them.
func (d *double) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Clone(d.calls)
	d.calls = nil
	return out
}
