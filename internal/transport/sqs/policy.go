package sqs

import (
	"encoding/json"
	"strings"

	"kryptonite/internal/wire"
)

const policyVersion = "2012-10-17" // of the policy language

// document is a policy, of a queue or of IAM.
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Principal string `json:",omitempty"` // of a queue's policy
	Action    []string
	Resource  string
}

// Actions are the IAM actions that the computer needs.
func Actions() []string {
	return []string{"sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:DeleteQueue",
		"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"}
}

// QueuePolicy is the policy of a queue that lets everyone do actions to it.
func QueuePolicy(region, account, name string, actions ...string) string {
	b, err := json.Marshal(document{Version: policyVersion, Statement: []statement{{
		Effect: "Allow", Principal: "*", Action: actions, Resource: arn(region, account, name)}}})
	if err != nil {
		panic("sqs: bug: a policy does not encode: " + err.Error())
	}
	return string(b)
}

// IAMPolicy is the policy, as indented JSON, that lets an IAM user do what the
// computer has to do, to queues in region whose names begin with prefix, and
// nothing else.
func IAMPolicy(region, prefix string) string {
	b, err := json.MarshalIndent(document{Version: policyVersion, Statement: []statement{{
		Effect: "Allow", Action: Actions(), Resource: arn(region, "*", prefix+strings.Repeat("?", wire.QueueRandom))}}}, "", "  ")
	if err != nil {
		panic("sqs: bug: a policy does not encode: " + err.Error())
	}
	return string(b)
}

func arn(region, account, name string) string {
	partition := "aws"
	switch {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":sqs:" + region + ":" + account + ":" + name
}
