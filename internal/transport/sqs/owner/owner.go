// Package owner is the computer's end of package sqs: an AWS account, by AWS's
// SDK and its chain of credentials (environment, ~/.aws, SSO, roles).
//
// It makes the two queues of a pairing, opens them to everyone as far as a phone
// without credentials needs ([kr-protocol] §5.7), uses and deletes them. AWS's
// own texts name queues; errors of this package do not.
//
// References: [kr-protocol] docs/protocol.md §5.7; Amazon SQS API Reference.
package owner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/wire"
)

// Config says which account. All may be empty.
type Config struct {
	Region   string // "": the profile's, or AWS_REGION
	Profile  string // of ~/.aws/config; "": AWS_PROFILE, or "default"
	Endpoint string // URL of SQS; "": AWS's, or what AWS's own settings name
	Prefix   string // that names of queues begin with; wire.ValidQueuePrefix

	RoundTripper http.RoundTripper // for tests; nil: the SDK's, with AWS_CA_BUNDLE and proxies from the environment
}

// Account is an AWS account's SQS in one region. It is safe for concurrent use.
type Account struct {
	region, prefix string
	endpoint       string // "": AWS's
	sqs            *awssqs.Client
	credentials    aws.CredentialsProvider
}

// Open reads the settings and finds out where the credentials come from. It
// does not connect.
func Open(ctx context.Context, c Config) (*Account, error) {
	if !wire.ValidQueuePrefix(c.Prefix) {
		return nil, fmt.Errorf("sqs: %q is no prefix for queues: at most %d of a-z, 0-9 and '-'", c.Prefix, wire.MaxQueuePrefix)
	}
	cfg, err := awsuser.Load(ctx, awsuser.Settings{Region: c.Region, Profile: c.Profile, RoundTripper: c.RoundTripper})
	if err != nil {
		return nil, fmt.Errorf("sqs: %w", err)
	}
	a := &Account{prefix: c.Prefix, region: cfg.Region, credentials: cfg.Credentials}
	if a.region == "" {
		return nil, errors.New("sqs: no AWS region is set: name one, as in eu-central-1")
	}
	if !wire.ValidRegion(a.region) {
		return nil, fmt.Errorf("sqs: %.40q is no region of AWS that a phone can reach", a.region)
	}
	a.sqs = awssqs.NewFromConfig(cfg, func(o *awssqs.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	a.endpoint = aws.ToString(a.sqs.Options().BaseEndpoint)
	if err := awsuser.CheckEndpoint(a.endpoint); err != nil {
		return nil, fmt.Errorf("sqs: %w", err)
	}
	return a, nil
}

// Region is the region in use.
func (a *Account) Region() string { return a.region }

// Names are new random names for the two queues of a pairing. There are none
// yet, and the account is not known.
func (a *Account) Names() wire.SQSAddress {
	return wire.SQSAddress{Region: a.region, ToComputer: a.prefix + random(), ToPhone: a.prefix + random()}
}

// LeftError says that of two queues that could not both be made one may be there.
type LeftError struct{ cause error }

func (e *LeftError) Error() string { return e.cause.Error() }
func (e *LeftError) Unwrap() error { return e.cause }

// Create makes the two queues that names names, and returns their address. When
// one cannot be made none is left, or the error is a *LeftError. Errors say what
// the person can do about it.
func (a *Account) Create(ctx context.Context, names wire.SQSAddress) (wire.SQSAddress, error) {
	if err := awsuser.Credentials(ctx, a.credentials); err != nil {
		return wire.SQSAddress{}, fmt.Errorf("sqs: %w", err)
	}
	out := names
	account, err := a.create(ctx, names.ToComputer, "sqs:SendMessage")
	if out.Account = account; err == nil && out.Check() != nil {
		err = errName
	}
	if err == nil {
		if account, err = a.create(ctx, names.ToPhone, "sqs:ReceiveMessage", "sqs:DeleteMessage"); err == nil && account != out.Account {
			err = errName
		}
	}
	if err == nil {
		return out, nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	// What SQS refuses it has not done; of anything else nobody knows.
	if said := new(sqs.Error); errors.As(err, &said) && said.Status < http.StatusInternalServerError && out.Account == "" {
		return wire.SQSAddress{}, err
	}
	if left := errors.Join(a.DeleteToComputer(undo, out), a.DeleteToPhone(undo, out)); left != nil {
		return wire.SQSAddress{}, &LeftError{errors.Join(err, left)}
	}
	return wire.SQSAddress{}, err
}

var errName = errors.New("sqs: SQS named a new queue in a way that is not AWS's")

// create makes one queue and opens it for actions. The account is returned, once
// there is a queue, also with an error.
func (a *Account) create(ctx context.Context, name string, actions ...string) (account string, err error) {
	out, err := a.sqs.CreateQueue(ctx, &awssqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		string(types.QueueAttributeNameMessageRetentionPeriod):        strconv.Itoa(sqs.Retention),
		string(types.QueueAttributeNameVisibilityTimeout):             strconv.Itoa(sqs.Visibility),
		string(types.QueueAttributeNameReceiveMessageWaitTimeSeconds): strconv.Itoa(sqs.PollSeconds),
		string(types.QueueAttributeNameMaximumMessageSize):            strconv.Itoa(sqs.MaxBody),
		string(types.QueueAttributeNameSqsManagedSseEnabled):          "false", // else AWS takes signed requests only
	}})
	if err != nil {
		return "", explain(ctx, "CreateQueue", err)
	}
	u, err := url.Parse(aws.ToString(out.QueueUrl))
	if err != nil {
		return "", errName
	}
	parts := strings.Split(u.Path, "/")
	account = parts[max(len(parts)-2, 0)]
	policy := sqs.QueuePolicy(a.region, account, name, actions...)
	_, err = a.sqs.SetQueueAttributes(ctx, &awssqs.SetQueueAttributesInput{QueueUrl: a.url(account, name),
		Attributes: map[string]string{string(types.QueueAttributeNamePolicy): policy}})
	if err != nil {
		return account, explain(ctx, "SetQueueAttributes", err)
	}
	return account, nil
}

// DeleteToComputer deletes the queue that the phone sends to. It is no error
// that it is gone. If q does not say in which account it is, SQS is asked.
func (a *Account) DeleteToComputer(ctx context.Context, q wire.SQSAddress) error {
	return a.delete(ctx, q.Account, q.ToComputer)
}

// DeleteToPhone deletes the queue that the phone takes from.
func (a *Account) DeleteToPhone(ctx context.Context, q wire.SQSAddress) error {
	return a.delete(ctx, q.Account, q.ToPhone)
}

func (a *Account) delete(ctx context.Context, account, name string) error {
	url := a.url(account, name)
	if account == "" {
		out, err := a.sqs.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: &name})
		if err != nil {
			return unlessGone(explain(ctx, "GetQueueUrl", err))
		}
		url = out.QueueUrl
	}
	_, err := a.sqs.DeleteQueue(ctx, &awssqs.DeleteQueueInput{QueueUrl: url})
	return unlessGone(explain(ctx, "DeleteQueue", err))
}

// unlessGone is err, but for the word that there is no such queue.
func unlessGone(err error) error {
	if said := new(sqs.Error); errors.As(err, &said) && said.NoQueue() {
		return nil
	}
	return err
}

// Taken reports whether the phone has taken and deleted all that was sent to
// it, as far as SQS knows: it counts approximately, and late. From a queue that is
// gone all is taken.
func (a *Account) Taken(ctx context.Context, q wire.SQSAddress) (bool, error) {
	waiting, hidden := types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := a.sqs.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: a.url(q.Account, q.ToPhone),
		AttributeNames: []types.QueueAttributeName{waiting, hidden}})
	if err != nil {
		err = unlessGone(explain(ctx, "GetQueueAttributes", err))
		return err == nil, err
	}
	return out.Attributes[string(waiting)] == "0" && out.Attributes[string(hidden)] == "0", nil
}

// Link returns the computer's end of a pairing's queues.
func (a *Account) Link(q wire.SQSAddress, log *slog.Logger) (transport.Link, error) {
	toComputer, toPhone, err := sqs.Queues(q, a.endpoint)
	if err != nil {
		return nil, err
	}
	return sqs.NewLink(caller{a.sqs}, toPhone, toComputer, log), nil
}

func (a *Account) url(account, name string) *string {
	return aws.String(sqs.Endpoint(a.region, a.endpoint) + "/" + account + "/" + name)
}

func random() string {
	b := make([]byte, wire.QueueRandom/2)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}
