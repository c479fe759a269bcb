// Package owner is the computer's end of package sns: an AWS account, by AWS's SDK
// and its chain of credentials.
//
// A [Waker] wakes one phone: it makes the phone's endpoint, which belongs to a
// platform application and has the token of the phone's device, publishes to it,
// and mends it. AWS's own texts name devices; errors of this package do not.
//
// References: [kr-protocol] docs/protocol.md §5.8; Amazon SNS API Reference.
package owner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wire"
)

// Errors of endpoints.
var (
	errDisabled = errors.New("sns: the endpoint is disabled: Apple or Google does not know the device any more")
	errMissing  = errors.New("sns: the endpoint does not exist any more")
	errToken    = errors.New("sns: SNS does not take the token for this endpoint")
)

// Config says how to reach SNS. The region is that of an application; all else may
// be empty.
type Config struct {
	Region   string
	Profile  string // of ~/.aws/config; "": AWS_PROFILE, or "default"
	Endpoint string // URL of SNS; "": AWS's, or what AWS's own settings name

	RoundTripper http.RoundTripper // for tests; nil: the SDK's
}

// Account is an AWS account's SNS in one region. It is safe for concurrent use.
type Account struct {
	sns         *awssns.Client
	credentials aws.CredentialsProvider
}

// Open reads the settings and finds out where the credentials come from. It does
// not connect.
func Open(ctx context.Context, c Config) (*Account, error) {
	cfg, err := awsuser.Load(ctx, awsuser.Settings{Region: c.Region, Profile: c.Profile, RoundTripper: c.RoundTripper})
	if err != nil {
		return nil, fmt.Errorf("sns: %w", err)
	}
	a := &Account{credentials: cfg.Credentials}
	a.sns = awssns.NewFromConfig(cfg, func(o *awssns.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	if err := awsuser.CheckEndpoint(aws.ToString(a.sns.Options().BaseEndpoint)); err != nil {
		return nil, fmt.Errorf("sns: %w", err)
	}
	return a, nil
}

var already = regexp.MustCompile(`(arn:\S+) already exists with the same [Tt]oken`)

// make makes the endpoint of a device, or finds it: there is one for each device
// in an application, whoever made it. It may be disabled.
func (a *Account) make(ctx context.Context, app sns.Application, device wire.PushToken) (arn string, err error) {
	if err := awsuser.Credentials(ctx, a.credentials); err != nil {
		return "", fmt.Errorf("sns: %w", err)
	}
	out, err := a.sns.CreatePlatformEndpoint(ctx, &awssns.CreatePlatformEndpointInput{
		PlatformApplicationArn: aws.String(app.String()), Token: &device.Token})
	if err != nil {
		answer, err := awsuser.Read(ctx, "CreatePlatformEndpoint", err)
		if answer == nil {
			return "", err
		}
		m := already.FindStringSubmatch(answer.Text)
		if answer.Code != "InvalidParameter" || m == nil {
			return "", explain("CreatePlatformEndpoint", answer)
		}
		arn = m[1] // someone else made it, with notes of his own
	} else {
		arn = aws.ToString(out.EndpointArn)
	}
	if !app.Has(arn) {
		return "", errors.New("sns: SNS named a new endpoint in a way that is not AWS's")
	}
	return arn, nil
}

// set gives an endpoint a token and enables it. Also errMissing and errToken.
func (a *Account) set(ctx context.Context, arn string, device wire.PushToken) error {
	_, err := a.sns.SetEndpointAttributes(ctx, &awssns.SetEndpointAttributesInput{
		EndpointArn: &arn, Attributes: map[string]string{"Token": device.Token, "Enabled": "true"}})
	return a.said(ctx, "SetEndpointAttributes", err)
}

// publish sends a message. Also errMissing and errDisabled.
func (a *Account) publish(ctx context.Context, arn string, m sns.Message) error {
	in := &awssns.PublishInput{TargetArn: &arn, Message: &m.JSON, MessageStructure: aws.String("json"), MessageAttributes: map[string]types.MessageAttributeValue{}}
	for name, value := range m.Attributes {
		in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	_, err := a.sns.Publish(ctx, in)
	return a.said(ctx, "Publish", err)
}

// delete deletes an endpoint. It is no error that it is gone.
func (a *Account) delete(ctx context.Context, arn string) error {
	_, err := a.sns.DeleteEndpoint(ctx, &awssns.DeleteEndpointInput{EndpointArn: &arn})
	if err = a.said(ctx, "DeleteEndpoint", err); errors.Is(err, errMissing) {
		return nil
	}
	return err
}

var noEndpoint = regexp.MustCompile(`(?i)no endpoint found|endpoint does not exist`)

// said reads an error of an operation on an endpoint. nil stays nil.
func (a *Account) said(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	answer, err := awsuser.Read(ctx, op, err)
	switch {
	case answer == nil:
		return err
	case answer.Code == "EndpointDisabled":
		return errDisabled
	case answer.Code == "NotFound", answer.Code == "InvalidParameter" && noEndpoint.MatchString(answer.Text):
		return errMissing
	case answer.Code == "InvalidParameter" && op == "SetEndpointAttributes":
		return errToken
	}
	return explain(op, answer)
}

// explain returns what an answer means, without AWS's text.
func explain(op string, a *awsuser.Answer) error {
	said := sns.NewError(op, a.Code, a.Status)
	return a.Explain(said.Action(), said)
}
