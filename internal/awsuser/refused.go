package awsuser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Answer is AWS's word that it did not do what was asked. Its text is only to be
// looked at: it names what no error and no log may.
type Answer struct {
	Code   string
	Status int // of HTTP
	Text   string

	ahead time.Duration // of AWS's clock; negative: behind it
}

// Read reads an error of the SDK's operation op. If it is not AWS's answer, the
// Answer is nil, and the error ctx's, or the network's with op before it; else it
// is nil.
func Read(ctx context.Context, op string, err error) (*Answer, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	api := smithy.APIError(nil)
	if !errors.As(err, &api) {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	a := &Answer{Code: api.ErrorCode(), Status: http.StatusBadRequest, Text: api.ErrorMessage()}
	if resp := new(awshttp.ResponseError); errors.As(err, &resp) && resp.Response != nil {
		a.Status = resp.HTTPStatusCode()
		if at, err := http.ParseTime(resp.Response.Header.Get("Date")); err == nil {
			a.ahead = time.Since(at)
		}
	}
	return a, nil
}

// skewed is how far a clock may be off before it is the reason. AWS allows 15
// minutes, and less for what was signed before.
const skewed = 4 * time.Minute

var (
	deniedCodes    = []string{"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
	signatureCodes = []string{"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired", "AuthFailure"}
	keyCodes       = []string{"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "OptInRequired", "MissingAuthenticationToken"}
)

// Explain returns cause, which is the Answer as its service's package says it, or
// what it means for a person: a *[DeniedError], *[KeyError] or *[ClockError] that
// wraps it. action is the IAM action that was needed, as "sqs:CreateQueue".
func (a *Answer) Explain(action string, cause error) error {
	switch {
	case slices.Contains(signatureCodes, a.Code) && a.ahead.Abs() > skewed:
		return &ClockError{a.ahead, cause}
	case slices.Contains(deniedCodes, a.Code):
		return &DeniedError{action, cause}
	case slices.Contains(keyCodes, a.Code):
		return &KeyError{a.Code, cause}
	}
	return cause
}

// DeniedError says that the user lacks a right.
type DeniedError struct {
	Action string // IAM action that is missing
	cause  error
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("AWS does not let these credentials do %s: the IAM policy needs it", e.Action)
}
func (e *DeniedError) Unwrap() error { return e.cause }

// KeyError says that AWS does not know the access key, or not any more.
type KeyError struct {
	code  string
	cause error
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("AWS does not accept these credentials (%s)", e.code)
}
func (e *KeyError) Unwrap() error { return e.cause }

// ClockError says that AWS refuses requests because of this computer's clock.
type ClockError struct {
	Ahead time.Duration // of AWS's clock; negative: behind it
	cause error
}

func (e *ClockError) Error() string {
	way := "ahead of"
	if e.Ahead < 0 {
		way = "behind"
	}
	return fmt.Sprintf("this computer's clock is %s %s AWS's, and AWS refuses that: set it", e.Ahead.Abs().Round(time.Second), way)
}
func (e *ClockError) Unwrap() error { return e.cause }
