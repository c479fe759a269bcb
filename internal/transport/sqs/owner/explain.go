package owner

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

	"kryptonite/internal/transport/sqs"
)

// DeniedError says that the user of the credentials lacks a right.
type DeniedError struct{ cause *sqs.Error }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("AWS does not let these credentials do %s: the IAM policy needs it", e.cause.Action())
}
func (e *DeniedError) Unwrap() error { return e.cause }

// Action is what is missing, as "sqs:CreateQueue".
func (e *DeniedError) Action() string { return e.cause.Action() }

// KeyError says that AWS does not know the access key, or not any more.
type KeyError struct{ cause *sqs.Error }

func (e *KeyError) Error() string {
	return fmt.Sprintf("AWS does not accept these credentials (%s)", e.cause.Code)
}
func (e *KeyError) Unwrap() error { return e.cause }

// ClockError says that AWS refuses requests because of this computer's clock.
type ClockError struct {
	Ahead time.Duration // of AWS's clock; negative: behind it
	cause *sqs.Error
}

func (e *ClockError) Error() string {
	way := "ahead of"
	if e.Ahead < 0 {
		way = "behind"
	}
	return fmt.Sprintf("this computer's clock is %s %s AWS's, and AWS refuses that: set it", e.Ahead.Abs().Round(time.Second), way)
}
func (e *ClockError) Unwrap() error { return e.cause }

// skewed is how far a clock may be off before it is the reason. AWS allows 15
// minutes, and less for what was signed before.
const skewed = 4 * time.Minute

var (
	signatureCodes = []string{"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "RequestExpired", "AuthFailure"}
	keyCodes       = []string{"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "OptInRequired", "MissingAuthenticationToken"}
)

// explain turns an error of the SDK into one of sqs.Caller's, without AWS's
// text. nil stays nil.
func explain(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	api := smithy.APIError(nil)
	if !errors.As(err, &api) {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("%s: %w", op, err)
	}
	status, ahead := http.StatusBadRequest, time.Duration(0)
	if resp := new(awshttp.ResponseError); errors.As(err, &resp) && resp.Response != nil {
		status = resp.HTTPStatusCode()
		if at, err := http.ParseTime(resp.Response.Header.Get("Date")); err == nil {
			ahead = time.Since(at)
		}
	}
	said := sqs.NewError(op, api.ErrorCode(), status)
	switch {
	case slices.Contains(signatureCodes, said.Code) && ahead.Abs() > skewed:
		return &ClockError{ahead, said}
	case said.Denied():
		return &DeniedError{said}
	case slices.Contains(keyCodes, said.Code):
		return &KeyError{said}
	}
	return said
}
