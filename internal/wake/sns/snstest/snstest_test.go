package snstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"kryptonite/internal/awsuser"
	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/wake/sns/snstest"
)

const (
	alert  = `{"aps":{"alert":{"title":"a","body":"b"},"sound":"default","mutable-content":1}}`
	data   = `{"fcmV1Message":{"message":{"data":{"frame":"x"},"android":{"priority":"high","ttl":"28s","collapse_key":"c"}}}}`
	google = "a:token"
)

// client is AWS's, which decides what errors are.
func client(t *testing.T, url string) *awssns.Client {
	t.Helper()
	cfg, err := awsuser.Load(t.Context(), awsuser.Settings{Region: awstest.Region})
	if err != nil {
		t.Fatal(err)
	}
	return awssns.NewFromConfig(cfg, func(o *awssns.Options) { o.BaseEndpoint = &url })
}

// code is that of an error of AWS's.
func code(err error) string {
	if err == nil {
		return ""
	}
	if api := smithy.APIError(nil); errors.As(err, &api) {
		return api.ErrorCode()
	}
	return err.Error()
}

func message(platform, payload string) string {
	b, err := json.Marshal(map[string]string{platform: payload})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestPublish: what SNS, Apple or Google would refuse is refused.
func TestPublish(t *testing.T) {
	awstest.Settings(t)
	s, url := snstest.New(t)
	c := client(t, url)
	apple := map[string]string{"AWS.SNS.MOBILE.APNS.TTL": "28", "AWS.SNS.MOBILE.APNS.PUSH_TYPE": "alert", "AWS.SNS.MOBILE.APNS.PRIORITY": "10", "AWS.SNS.MOBILE.APNS.COLLAPSE_ID": "c"}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range apple {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	phones := map[string]*snstest.Device{"APNS": s.Install("APNS", "0a"), "GCM": s.Install("GCM", google)}
	arns := map[string]string{"APNS": s.Endpoint(s.Application("APNS", "x"), "0a", ""), "GCM": s.Endpoint(s.Application("GCM", "x"), google, "")}
	for name, p := range map[string]struct {
		platform, message string
		attributes        map[string]string
		want              string
	}{
		"an alert":                 {"APNS", message("APNS", alert), apple, ""},
		"data":                     {"GCM", message("GCM", data), nil, ""},
		"no JSON":                  {"APNS", "hello", apple, "InvalidParameter"},
		"a payload not in quotes":  {"APNS", `{"APNS":` + alert + `}`, apple, "InvalidParameter"},
		"a key twice":              {"GCM", message("GCM", data)[:1] + `"GCM":"",` + message("GCM", data)[1:], nil, "InvalidParameter"},
		"for another platform":     {"APNS", message("APNS_SANDBOX", alert), apple, "InvalidParameter"},
		"4,096 bytes":              {"APNS", message("APNS", alert[:len(alert)-1]+`,"x":"`+strings.Repeat("x", 4096-len(alert)-7)+`"}`), apple, ""},
		"4,097 bytes":              {"APNS", message("APNS", alert[:len(alert)-1]+`,"x":"`+strings.Repeat("x", 4096-len(alert)-6)+`"}`), apple, "InvalidParameter"},
		"256 KiB":                  {"APNS", message("APNS", strings.Repeat("x", 256<<10)), apple, "InvalidParameter"},
		"no alert":                 {"APNS", message("APNS", `{"aps":{}}`), apple, "InvalidParameter"},
		"no TTL":                   {"APNS", message("APNS", alert), with("AWS.SNS.MOBILE.APNS.TTL", "0"), "InvalidParameter"},
		"the other's TTL":          {"APNS", message("APNS", alert), with("AWS.SNS.MOBILE.APNS_SANDBOX.TTL", "28"), "InvalidParameter"},
		"in the background":        {"APNS", message("APNS", alert), with("AWS.SNS.MOBILE.APNS.PUSH_TYPE", "background"), "InvalidParameter"},
		"no priority":              {"APNS", message("APNS", alert), with("AWS.SNS.MOBILE.APNS.PRIORITY", "1"), "InvalidParameter"},
		"a long collapse id":       {"APNS", message("APNS", alert), with("AWS.SNS.MOBILE.APNS.COLLAPSE_ID", strings.Repeat("c", 65)), "InvalidParameter"},
		"the legacy form":          {"GCM", message("GCM", `{"data":{}}`), nil, "InvalidParameter"},
		"a token in it":            {"GCM", message("GCM", strings.Replace(data, `"data"`, `"token":"x","data"`, 1)), nil, "InvalidParameter"},
		"data that are no strings": {"GCM", message("GCM", strings.Replace(data, `"x"`, `7`, 1)), nil, "InvalidParameter"},
		"a key of Google's":        {"GCM", message("GCM", strings.Replace(data, `"frame"`, `"from"`, 1)), nil, "InvalidParameter"},
		"a TTL without unit":       {"GCM", message("GCM", strings.Replace(data, `28s`, `28`, 1)), nil, "InvalidParameter"},
	} {
		in := &awssns.PublishInput{TargetArn: aws.String(arns[p.platform]), Message: &p.message, MessageStructure: aws.String("json"), MessageAttributes: map[string]types.MessageAttributeValue{}}
		for k, v := range p.attributes {
			in.MessageAttributes[k] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
		}
		_, err := c.Publish(t.Context(), in)
		if got := code(err); got != p.want || len(phones[p.platform].Got()) > 0 != (p.want == "") {
			t.Errorf("%s: %v, want %q", name, err, p.want)
		}
		for len(phones[p.platform].Got()) > 0 {
			<-phones[p.platform].Got()
		}
	}
	_, err := c.Publish(t.Context(), &awssns.PublishInput{TargetArn: aws.String(arns["GCM"]), Message: aws.String(message("GCM", data))})
	if code(err) != "InvalidParameter" {
		t.Errorf("without a structure: %v", err)
	}
}

// TestEndpoints: one for each token, whoever makes it.
func TestEndpoints(t *testing.T) {
	awstest.Settings(t)
	s, url := snstest.New(t)
	c, ctx := client(t, url), context.Background()
	app := s.Application("APNS", "x")
	create := func(token, userData, enabled string) (string, error) {
		in := &awssns.CreatePlatformEndpointInput{PlatformApplicationArn: &app, Token: &token, Attributes: map[string]string{}}
		if userData != "" {
			in.CustomUserData = &userData
		}
		if enabled != "" {
			in.Attributes["Enabled"] = enabled
		}
		out, err := c.CreatePlatformEndpoint(ctx, in)
		if err != nil {
			return "", err
		}
		return *out.EndpointArn, nil
	}
	set := func(arn string, attributes map[string]string) error {
		_, err := c.SetEndpointAttributes(ctx, &awssns.SetEndpointAttributesInput{EndpointArn: &arn, Attributes: attributes})
		return err
	}
	first, err := create("0a", "", "")
	if err != nil {
		t.Fatal(err)
	}
	s.Disable(first)
	if again, err := create("0a", "", ""); err != nil || again != first {
		t.Errorf("made again, disabled: %s, %v", again, err)
	}
	for name, got := range map[string]error{"enabled": second(create("0a", "", "true")), "with notes": second(create("0a", "notes", ""))} {
		if code(got) != "InvalidParameter" || !strings.Contains(got.Error(), "Endpoint "+first+" already exists with the same Token, but different attributes.") {
			t.Errorf("made again, %s: %v", name, got)
		}
	}
	other, err := create("0b", "notes", "")
	if err != nil || other == first {
		t.Fatalf("%s, %v", other, err)
	}
	for name, got := range map[string]string{
		"Google's token":           code(second(create("a:token", "", ""))),
		"no token":                 code(second(create("", "", ""))),
		"a token that is taken":    code(set(first, map[string]string{"Token": "0b"})),
		"neither true nor false":   code(set(first, map[string]string{"Enabled": "yes"})),
		"an attribute that is not": code(set(first, map[string]string{"Colour": "red"})),
	} {
		if got != "InvalidParameter" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if err := set(first, map[string]string{"Token": "0c", "Enabled": "true"}); err != nil {
		t.Error(err)
	}
	if token, enabled := s.Token(first); token != "0c" || !enabled {
		t.Errorf("set, and yet %s, %t", token, enabled)
	}
	for range 2 {
		if _, err := c.DeleteEndpoint(ctx, &awssns.DeleteEndpointInput{EndpointArn: &first}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	missing := new(types.NotFoundException)
	if err := set(first, map[string]string{"Enabled": "true"}); !errors.As(err, &missing) {
		t.Errorf("of an endpoint that is not: %v", err)
	}
	s.Remove(app)
	if _, err := create("0d", "", ""); !errors.As(err, &missing) {
		t.Errorf("of an application that is not: %v", err)
	}
}

func second(_ string, err error) error { return err }

// TestUnsigned requests, and others that are no SNS requests, are refused.
func TestUnsigned(t *testing.T) {
	awstest.Settings(t)
	s, url := snstest.New(t)
	post := func(body string, change func(*http.Request)) string {
		r, err := http.NewRequest(http.MethodPost, url+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode < 400 {
			t.Errorf("%d, %v", resp.StatusCode, err)
		}
		return string(b)
	}
	const body = "Action=DeleteEndpoint&EndpointArn=x&Version=2010-03-31"
	for want, p := range map[string]struct {
		body   string
		change func(*http.Request)
	}{
		"MissingAuthenticationToken": {body, func(*http.Request) {}},
		"IncompleteSignature":        {body, func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }},
		"InvalidAction":              {strings.Replace(body, "2010", "2011", 1), func(*http.Request) {}},
		"MalformedQueryString":       {body, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-amz-json-1.0") }},
		"InvalidAddress":             {body, func(r *http.Request) { r.Host = "example.com" }},
	} {
		if got := post(p.body, p.change); !strings.Contains(got, "<Code>"+want+"</Code>") {
			t.Errorf("want %s: %s", want, got)
		}
	}
	for _, c := range s.Calls() {
		if c.Code == "" {
			t.Errorf("%s passed", c.Op)
		}
	}
}
