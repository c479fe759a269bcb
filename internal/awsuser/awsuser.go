// Package awsuser is the user of an AWS account as AWS's SDK finds him: settings
// and credentials of ~/.aws and the environment, SSO, roles. It is what packages
// that call one service each have in common: how to begin ([Load]), and what it
// means when AWS says no ([Read]).
//
// AWS's own texts name resources and devices; errors of this package do not.
package awsuser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Settings say which user. All may be empty.
type Settings struct {
	Region  string // "": the profile's, or AWS_REGION
	Profile string // of ~/.aws/config; "": AWS_PROFILE, or "default"

	RoundTripper http.RoundTripper // for tests; nil: the SDK's, with AWS_CA_BUNDLE and proxies from the environment
}

// Load reads the settings and finds out where the credentials come from. It does
// not connect. The SDK tries each call twice.
func Load(ctx context.Context, s Settings) (aws.Config, error) {
	// The second try is for a clock that is wrong: the first answer corrects it.
	// All other retries are the caller's.
	twice := func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 2, 50*time.Millisecond })
	}
	options := []func(*config.LoadOptions) error{config.WithSharedConfigProfile(s.Profile), config.WithRetryer(twice)}
	if s.RoundTripper != nil {
		options = append(options, config.WithHTTPClient(&http.Client{Transport: s.RoundTripper}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("read the AWS settings: %w", err)
	}
	if s.Region != "" {
		cfg.Region = s.Region
	}
	return cfg, nil
}

// Credentials returns an error that says what to do if there are none to use.
func Credentials(ctx context.Context, p aws.CredentialsProvider) error {
	if _, err := p.Retrieve(ctx); err != nil {
		return fmt.Errorf("there are no AWS credentials to use (does \"aws sts get-caller-identity\" work?): %w", err)
	}
	return nil
}

// CheckEndpoint returns an error if endpoint is neither empty nor the URL of a
// service.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if endpoint != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil) {
		return errors.New("the endpoint is no URL as in https://sqs.eu-central-1.amazonaws.com")
	}
	return nil
}
