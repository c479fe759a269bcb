package sqstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kryptonite/internal/awsuser/awstest"
)

// policy is a queue's access policy, as far as the double knows the language:
// statements that allow everyone something, without conditions.
type policy struct {
	Version   string
	Id        string `json:",omitempty"`
	Statement []statement
}

type statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal principal
	Action    words
	Resource  words
}

// words is one string or a list.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// principal is "*" or {"AWS": "*"}.
type principal struct{}

func (*principal) UnmarshalJSON(b []byte) error {
	var all string
	if json.Unmarshal(b, &all) == nil && all == "*" {
		return nil
	}
	var who struct{ AWS words }
	if json.Unmarshal(b, &who) == nil && slices.Equal(who.AWS, words{"*"}) {
		return nil
	}
	return errors.New("a principal that is not everyone")
}

func parsePolicy(text string) (*policy, error) {
	p := new(policy)
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	if p.Version != "2012-10-17" && p.Version != "2008-10-17" || len(p.Statement) == 0 {
		return nil, fmt.Errorf("version %q, %d statements", p.Version, len(p.Statement))
	}
	for _, st := range p.Statement {
		if st.Effect != "Allow" || len(st.Action) == 0 || len(st.Resource) == 0 {
			return nil, fmt.Errorf("a statement that the double does not know: %+v", st)
		}
	}
	return p, nil
}

func (p *policy) allowsEveryone(action, arn string) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Statement, func(st statement) bool {
		return slices.ContainsFunc(st.Action, func(a string) bool { return a == "*" || strings.EqualFold(a, "sqs:*") || strings.EqualFold(a, action) }) &&
			slices.ContainsFunc(st.Resource, func(r string) bool { return r == "*" || r == arn })
	})
}

func arn(name string) string { return "arn:aws:sqs:" + Region + ":" + Account + ":" + name }

// actions of IAM are operations, but for batches.
func action(op string) string { return "sqs:" + strings.TrimSuffix(op, "Batch") }

// allowed decides about a request whose signature, if it has one, holds.
func (s *Server) allowed(c Call) *apiError {
	denied := func(who, why string) *apiError {
		a := strings.ToLower(action(c.Op))
		return fail(http.StatusForbidden, "AccessDeniedException",
			"User: %s is not authorized to perform: %s on resource: %s because no %s policy allows the %s action", who, a, arn(c.Queue), why, a).as("AccessDenied")
	}
	if c.Signed {
		if s.granted != nil && !slices.Contains(s.granted, action(c.Op)) {
			return denied(awstest.User, "identity-based")
		}
		return nil
	}
	q := s.queues[c.Queue]
	switch {
	case q == nil && slices.Contains([]string{"SendMessage", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"}, c.Op):
		return noQueue()
	case q == nil || !q.policy.allowsEveryone(action(c.Op), arn(c.Queue)):
		return denied("anonymous", "resource-based")
	case q.attr["SqsManagedSseEnabled"] != "false":
		return fail(http.StatusBadRequest, "InvalidSecurity", "All requests to this queue must use HTTPS and SigV4.")
	}
	return nil
}

func noQueue() *apiError {
	return fail(http.StatusBadRequest, "QueueDoesNotExist", "The specified queue does not exist.").as("AWS.SimpleQueueService.NonExistentQueue")
}
