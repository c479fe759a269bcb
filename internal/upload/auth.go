package upload

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// auth puts a token into a request's header.
type auth func(req *http.Request, token Token, body []byte, now time.Time) error

func bearer(req *http.Request, token Token, _ []byte, _ time.Time) error {
	if strings.ContainsAny(string(token), "\r\n") {
		return errors.New("the token has more than one line")
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	return nil
}

// bearerOrBasic takes NAME:TOKEN for HTTP's basic authentication.
func bearerOrBasic(req *http.Request, token Token, body []byte, now time.Time) error {
	if !strings.Contains(string(token), ":") {
		return bearer(req, token, body, now)
	}
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(token)))
	return nil
}

// awsVariables are what AWS's programs read, too; the third may be missing.
const awsVariables = "AWS_ACCESS_KEY_ID+AWS_SECRET_ACCESS_KEY+AWS_SESSION_TOKEN?"

// signV4 signs a POST to "/" without a query, of a host SERVICE.REGION.…, by AWS's
// Signature Version 4. It is the whole of AWS's SDK that is needed here, and kr
// does without the rest. [AWS IAM User Guide] "Create a signed AWS API request".
func signV4(req *http.Request, token Token, body []byte, now time.Time) error {
	parts, host := strings.Split(string(token), "\n"), strings.Split(req.URL.Host, ".")
	if len(parts) != 3 || len(host) < 3 || req.Method != http.MethodPost || req.URL.RequestURI() != "/" {
		return errors.New("these are no credentials of AWS, or a request that they are not for")
	}
	stamp := now.UTC().Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", stamp)
	if parts[2] != "" {
		req.Header.Set("X-Amz-Security-Token", parts[2])
	}
	names := []string{"content-type", "host", "x-amz-date", "x-amz-security-token"}
	names = slices.DeleteFunc(names, func(n string) bool { return n != "host" && req.Header.Get(n) == "" })
	canonical := "POST\n/\n\n"
	for _, n := range names {
		value := req.Header.Get(n)
		if n == "host" {
			value = req.URL.Host
		}
		canonical += n + ":" + value + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + digest(body)
	scope := []string{stamp[:8], host[1], host[0], "aws4_request"}
	key := []byte("AWS4" + parts[1])
	for _, s := range scope {
		key = mac(key, s)
	}
	where := strings.Join(scope, "/")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+parts[0]+"/"+where+", SignedHeaders="+strings.Join(names, ";")+
		", Signature="+hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+where+"\n"+digest([]byte(canonical)))))
	return nil
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
