package e2e

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wake/webpush/pushtest"
	"kryptonite/internal/wire"
)

// PublicHosts are names under which origins here can be had by https; Apple's
// push service wants such a one to complain to. The first is the relay's, the last
// that of Amazon's SQS.
var PublicHosts = []string{"kr.test", "small.test", "sqs." + sqstest.Region + ".amazonaws.com"}

// endpointHosts are the names that Chromium gives to push endpoints: those of
// a release, and of a build without Google's name.
var endpointHosts = []string{"fcm.googleapis.com", "jmt17.google.com"}

// Vendor is a browser vendor, on loopback: what Google is to Chromium.
//
//	page or worker: pushManager.subscribe()    nothing is replaced there
//	Chromium  → Vendor   check-in, a token for the VAPID key
//	krd       → Vendor   the push, by way of a proxy; the strict pushtest takes it
//	Vendor    → Chromium the sealed bytes, which Chromium itself decrypts
//
// Both have to be started so that they find it: [Vendor.Flags], [Vendor.Env].
type Vendor struct {
	Service *pushtest.Service

	cert     tls.Certificate
	pem      string // file with the certificate
	mobile   *httptest.Server
	proxy    *httptest.Server
	board    *switchboard
	browsers int

	mu     sync.Mutex
	known  map[string]*registration // by path of the endpoint
	hold   bool
	leads  map[string]string // host:port to an address here
	tunnel map[net.Conn]bool
	open   sync.WaitGroup
}

// registration is one subscription of a browser.
type registration struct{ browser, app, subtype, sender string }

// NewVendor starts one, which ends with the test.
func NewVendor(t testing.TB) *Vendor {
	v := &Vendor{pem: filepath.Join(t.TempDir(), "vendor.pem"), known: map[string]*registration{}, leads: map[string]string{}, tunnel: map[net.Conn]bool{}}
	var err error
	if v.cert, err = selfSigned(slices.Concat(endpointHosts, PublicHosts)...); err == nil {
		err = os.WriteFile(v.pem, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.cert.Certificate[0]}), 0o600)
	}
	if err == nil {
		v.board, err = newSwitchboard(v.cert)
	}
	if err != nil {
		t.Fatal(err)
	}
	v.Service = pushtest.NewWith(t, &v.cert)
	v.Service.Taken = v.taken
	for _, host := range endpointHosts {
		v.leads[host+":443"] = strings.TrimPrefix(v.Service.URL, "https://")
	}
	mobile := http.NewServeMux()
	mobile.HandleFunc("POST /checkin", v.checkin)
	mobile.HandleFunc("POST /register", v.register)
	v.mobile, v.proxy = httptest.NewServer(mobile), httptest.NewServer(http.HandlerFunc(v.connect))
	t.Cleanup(v.close)
	return v
}

func (v *Vendor) close() {
	v.board.close()
	v.mobile.Close()
	v.proxy.Close()
	v.mu.Lock()
	for c := range v.tunnel {
		c.Close()
	}
	v.mu.Unlock()
	v.open.Wait()
}

// Flags make a browser this vendor's, and lead it to the PublicHosts that are
// served by now.
func (v *Vendor) Flags() []string {
	flags := []string{"gcm-checkin-url=" + v.mobile.URL + "/checkin", "gcm-registration-url=" + v.mobile.URL + "/register",
		"gcm-mcs-endpoint=https://" + v.board.listener.Addr().String()}
	spki := sha256.Sum256(v.cert.Leaf.RawSubjectPublicKeyInfo)
	flags = append(flags, "ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(spki[:]))
	v.mu.Lock()
	defer v.mu.Unlock()
	var rules []string
	for _, host := range PublicHosts {
		if to := v.leads[host+":443"]; to != "" {
			rules = append(rules, "MAP "+host+" "+to)
		}
	}
	return append(flags, "host-resolver-rules="+strings.Join(rules, ","))
}

// Env makes programs find the vendor and the PublicHosts, by a proxy, and trust
// them.
func (v *Vendor) Env() []string {
	return []string{"HTTPS_PROXY=" + v.proxy.URL, "NO_PROXY=", "no_proxy=", "SSL_CERT_FILE=" + v.pem}
}

// Lead makes a house's relay one of https://kr.test. Call it before the relay
// starts, and Serve after that.
func (v *Vendor) Lead(h *House) {
	h.Env = append(h.Env, v.Env()...)
	h.Public = "https://" + PublicHosts[0]
}

// Serve makes an origin on this machine, by http, that of a PublicHost, by https.
func (v *Vendor) Serve(t testing.TB, host, origin string) {
	t.Helper()
	to, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	v.Stand(t, host, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}})
}

// Stand makes a server that of a PublicHost, by https.
func (v *Vendor) Stand(t testing.TB, host string, server http.Handler) {
	t.Helper()
	front := httptest.NewUnstartedServer(server)
	front.TLS = &tls.Config{Certificates: []tls.Certificate{v.cert}, MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(func() {
		front.CloseClientConnections() // polls wait for long
		front.Close()
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.leads[host+":443"] = front.Listener.Addr().String()
}

// Subscribe is a subscription of no Chromium: the service opens what comes for it.
func (v *Vendor) Subscribe(vapid *ecdh.PrivateKey) wire.Push {
	b := v.Service.Subscribe(vapid.PublicKey().Bytes())
	b.Endpoint = strings.Replace(b.Endpoint, v.Service.URL, "https://"+endpointHosts[0], 1)
	return b.Address(vapid.Bytes())
}

// TellPush writes into the record of krd's one pairing how its phone can be woken,
// as if a phone in a browser had told it. krd must not run.
func (h *House) TellPush(push wire.Push) error {
	files, err := filepath.Glob(h.Path("kr", "pairings", "*.json"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%d pairings, want 1: %w", len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return err
	}
	var file struct {
		Version int            `json:"version"`
		Data    map[string]any `json:"data"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	file.Data["push"] = push
	if text, err = json.Marshal(file); err != nil {
		return err
	}
	return os.WriteFile(files[0], text, 0o600)
}

// Next waits for the next push that comes from a computer.
func (v *Vendor) Next(t testing.TB) pushtest.Push {
	t.Helper()
	select {
	case p := <-v.Service.Got():
		return p
	case <-time.After(patience):
		t.Fatal("no push came")
		panic("unreachable")
	}
}

// Hold says whether pushes that come stay with the vendor, until Deliver.
func (v *Vendor) Hold(yes bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hold = yes
}

func (v *Vendor) taken(p pushtest.Push) {
	v.mu.Lock()
	hold := v.hold
	v.mu.Unlock()
	if !hold {
		v.Deliver(p)
	}
}

// Deliver sends a push to its browser, again if it was sent before.
func (v *Vendor) Deliver(p pushtest.Push) {
	v.mu.Lock()
	r := v.known[p.Path]
	v.mu.Unlock()
	if r != nil {
		v.board.deliver(r, p.Sealed)
	}
}

// Endpoints are the subscriptions that browsers have now, by path.
func (v *Vendor) Endpoints() (paths []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for path := range v.known {
		paths = append(paths, path)
	}
	return paths
}

// checkin gives a browser a number and a secret. [checkin.proto]
func (v *Vendor) checkin(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.browsers++
	n := uint64(v.browsers)
	v.mu.Unlock()
	fixed := func(b []byte, field byte) []byte { return binary.LittleEndian.AppendUint64(append(b, field<<3|1), n) }
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(fixed(fixed([]byte{1 << 3, 1}, 7), 8)) // stats_ok, android_id, security_token
}

// register makes a token, which becomes part of an endpoint, or ends one.
func (v *Vendor) register(w http.ResponseWriter, r *http.Request) {
	reg := &registration{browser: r.PostFormValue("device"), app: r.PostFormValue("app"), subtype: r.PostFormValue("X-subtype"), sender: r.PostFormValue("sender")}
	token := rand.Text()
	path := "/fcm/send/" + token
	vapid, err := base64.RawURLEncoding.DecodeString(reg.sender)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case r.PostFormValue("delete") == "true":
		for path, known := range v.known {
			if known.browser == reg.browser && known.subtype == reg.subtype && (known.sender == reg.sender || reg.sender == "*") {
				delete(v.known, path)
				v.Service.End(path)
			}
		}
	case strings.HasPrefix(reg.subtype, "wp:"):
		if err != nil || len(vapid) != 65 {
			fmt.Fprint(w, "Error=INVALID_PARAMETERS")
			return
		}
		v.known[path] = reg
		v.Service.Adopt(path, vapid)
	}
	fmt.Fprint(w, "token="+token)
}

// connect is a proxy to the names that lead here.
func (v *Vendor) connect(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	to := v.leads[r.Host]
	v.mu.Unlock()
	up, err := net.Dial("tcp", to)
	if r.Method != http.MethodConnect || to == "" || err != nil {
		http.Error(w, "the way leads to "+strconv.Quote(r.Host)+" only by CONNECT, if anywhere", http.StatusBadGateway)
		return
	}
	down, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		up.Close()
		return
	}
	v.mu.Lock()
	v.tunnel[up], v.tunnel[down] = true, true
	v.open.Add(2)
	v.mu.Unlock()
	pass := func(to, from net.Conn) {
		defer v.open.Done()
		io.Copy(to, from)
		to.Close()
		from.Close()
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.tunnel, from)
	}
	io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
	go pass(up, down)
	go pass(down, up)
}

// selfSigned is a certificate for names and 127.0.0.1.
func selfSigned(names ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	like := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	leaf, err2 := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, errors.Join(err, err2)
}
