package upload

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
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

// signV4 signs a request by AWS's rules; the host names the region.
func signV4(req *http.Request, token Token, body []byte, now time.Time) error {
	parts := strings.Split(string(token), "\n")
	host := strings.Split(req.URL.Host, ".")
	if len(parts) != 3 || len(host) < 3 {
		return errors.New("these are no credentials of AWS")
	}
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(req.Context(), aws.Credentials{AccessKeyID: parts[0], SecretAccessKey: parts[1], SessionToken: parts[2]},
		req, hex.EncodeToString(sum[:]), host[0], host[1], now)
}
