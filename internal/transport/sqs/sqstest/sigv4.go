package sqstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	stampForm = "20060102T150405Z"
	maxSkew   = 15 * time.Minute
)

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/sqs/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// signed checks the signature of a request of the account's user. What is
// wrong with the key comes before what is wrong with the time, as at AWS.
func (s *Server) signed(r *http.Request, body []byte) *apiError {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return fail(http.StatusBadRequest, "IncompleteSignatureException", "Authorization header is not well-formed.").as("IncompleteSignature")
	}
	key, day, region, names, signature := m[1], m[2], m[3], strings.Split(m[4], ";"), m[5]
	if key != AccessKey {
		return fail(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.").as("InvalidClientTokenId")
	}
	if region != Region {
		return invalid("Credential should be scoped to a valid region.")
	}
	for _, must := range []string{"host", "x-amz-date", "x-amz-target"} {
		if !slices.Contains(names, must) {
			return invalid("'" + must + "' must be a signed header")
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
	now := s.now().UTC()
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
			value = r.Header.Get("Content-Length")
			if value == "" {
				value = itoa(len(body))
			}
		}
		canonical += n + ":" + strings.Join(strings.Fields(value), " ") + "\n"
	}
	canonical += "\n" + m[4] + "\n" + digest(body)
	scope := day + "/" + Region + "/sqs/aws4_request"
	k := []byte("AWS4" + Secret)
	for _, part := range []string{day, Region, "sqs", "aws4_request"} {
		k = mac(k, part)
	}
	want := hex.EncodeToString(mac(k, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+digest([]byte(canonical))))
	if subtle.ConstantTimeCompare([]byte(want), []byte(signature)) != 1 {
		return invalid("The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

func invalid(text string) *apiError {
	return fail(http.StatusForbidden, "InvalidSignatureException", "%s", text).as("SignatureDoesNotMatch")
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
