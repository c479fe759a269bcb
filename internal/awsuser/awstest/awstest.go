// Package awstest is what strict doubles of AWS's services have in common: an
// account, its user's access key, and the check of what he signed. It shares no code
// with AWS's SDK.
//
// Reference: AWS IAM User Guide, "Create a signed AWS API request".
package awstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The account, and its user's access key. They are of no account at AWS: the
// secret is spelled out so that no scanner takes it for one.
const (
	Region    = "eu-central-1"
	Account   = "123456789012"
	AccessKey = "TESTKEYOFNOACCOUNT"
	Secret    = "not-a-secret-but-a-key-for-tests"
	User      = "arn:aws:iam::" + Account + ":user/krd"
)

// Settings sets what AWS's tools read, for this process and until the test ends:
// the user's key, and nothing of this machine's.
func Settings(t testing.TB) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": Secret, "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_SNS": "",
		"AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
}

// Refusal is why AWS does not take a request.
type Refusal struct {
	Status int
	Code   string // in JSON protocols
	Query  string // code in query protocols
	Text   string
}

const (
	stampForm = "20060102T150405Z"
	maxSkew   = 15 * time.Minute
)

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// Verify checks the signature (SigV4) of a request to a service ("sqs") by the account's user,
// at the time now; nil: it holds. The headers in must have to be signed, beside host
// and X-Amz-Date. What is wrong with the key comes before what is wrong with the
// time, as at AWS.
func Verify(r *http.Request, body []byte, service string, must []string, now time.Time) *Refusal {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return &Refusal{http.StatusBadRequest, "IncompleteSignatureException", "IncompleteSignature", "Authorization header is not well-formed."}
	}
	key, day, region, names, signature := m[1], m[2], m[3], strings.Split(m[5], ";"), m[6]
	if key != AccessKey {
		return &Refusal{http.StatusForbidden, "UnrecognizedClientException", "InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	if region != Region {
		return invalid("Credential should be scoped to a valid region.")
	}
	if m[4] != service {
		return invalid("Credential should be scoped to correct service: '" + service + "'.")
	}
	for _, name := range append([]string{"host", "x-amz-date"}, must...) {
		if !slices.Contains(names, name) {
			return invalid("'" + name + "' must be a signed header")
		}
	}
	if !slices.IsSorted(names) {
		return invalid("the signed headers are not in order")
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(stampForm, stamp)
	if err != nil || !strings.HasPrefix(stamp, day) {
		return invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
	}
	now = now.UTC()
	switch off := now.Sub(at); {
	case off > maxSkew:
		return invalid("Signature expired: " + stamp + " is now earlier than " + now.Add(-maxSkew).Format(stampForm) + " (" + now.Format(stampForm) + " - 15 min.)")
	case off < -maxSkew:
		return invalid("Signature not yet current: " + stamp + " is still later than " + now.Add(maxSkew).Format(stampForm) + " (" + now.Format(stampForm) + " + 15 min.)")
	}
	canonical := "POST\n/\n\n"
	for _, n := range names {
		value := r.Header.Get(n)
		switch n {
		case "host":
			value = r.Host
		case "content-length":
			if value == "" {
				value = strconv.Itoa(len(body))
			}
		}
		canonical += n + ":" + strings.Join(strings.Fields(value), " ") + "\n"
	}
	canonical += "\n" + m[5] + "\n" + digest(body)
	scope := fmt.Sprintf("%s/%s/%s/aws4_request", day, Region, service)
	k := []byte("AWS4" + Secret)
	for _, part := range strings.Split(scope, "/") {
		k = mac(k, part)
	}
	want := hex.EncodeToString(mac(k, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+digest([]byte(canonical))))
	if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) != 1 {
		return invalid("The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

func invalid(text string) *Refusal {
	return &Refusal{http.StatusForbidden, "InvalidSignatureException", "SignatureDoesNotMatch", text}
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
