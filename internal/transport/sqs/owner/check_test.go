package owner_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
)

// TestCheck: it names what does not work, waits for a policy that counts late,
// and leaves no queue.
func TestCheck(t *testing.T) {
	awstest.Settings(t)
	denied := &sqstest.Fault{Status: http.StatusForbidden, Code: "AccessDeniedException"}
	for name, c := range map[string]struct {
		fault  func(call sqstest.Call, since time.Duration) *sqstest.Fault
		grant  []string
		broken string // what does not work
		say    string
		longer time.Duration
	}{
		"all works": {},
		"a policy that counts late": {fault: func(c sqstest.Call, since time.Duration) *sqstest.Fault {
			if !c.Signed && since < 50*time.Second {
				return denied
			}
			return nil
		}, longer: 50 * time.Second},
		"open queues are forbidden": {fault: func(c sqstest.Call, _ time.Duration) *sqstest.Fault {
			if !c.Signed {
				return denied
			}
			return nil
		}, broken: "take it as a phone, without credentials", say: "a rule of your organisation", longer: time.Minute},
		"unsigned requests are not taken": {fault: func(c sqstest.Call, _ time.Duration) *sqstest.Fault {
			if !c.Signed {
				return &sqstest.Fault{Status: http.StatusForbidden, Code: "MissingAuthenticationToken"}
			}
			return nil
		}, broken: "take it as a phone, without credentials", say: "MissingAuthenticationToken"},
		"a right is missing": {grant: slices.DeleteFunc(sqs.Actions(), func(a string) bool { return a == "sqs:ReceiveMessage" }),
			broken: "take it here", say: "sqs:ReceiveMessage"},
		"pages may not ask": {fault: func(c sqstest.Call, _ time.Duration) *sqstest.Fault {
			if c.Op == "OPTIONS" {
				return &sqstest.Fault{Status: http.StatusForbidden}
			}
			return nil
		}, broken: "send as a page in a browser", say: "kr-phone can"},
		"no right to make": {grant: []string{"sqs:SendMessage"}, broken: "make two queues and open them", say: "sqs:CreateQueue"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, start := sqstest.New(), time.Now()
				s.Grant(sqs.Actions()...)
				if c.grant != nil {
					s.Grant(c.grant...)
				}
				if c.fault != nil {
					s.Fail(func(call sqstest.Call) *sqstest.Fault { return c.fault(call, time.Since(start)) })
				}
				facts := open(t, s).Check(t.Context(), sqs.NewClient(s), sqs.NewPage(s))
				broken, say := "", ""
				for _, f := range facts {
					if f.Err != nil {
						broken, say = broken+f.What, say+f.Err.Error()
					}
				}
				if broken != c.broken || !strings.Contains(say, c.say) || broken == "" && len(facts) != 8 {
					t.Errorf("broken is %q: %s, of %d facts", broken, say, len(facts))
				}
				if took := time.Since(start); took < c.longer || took > c.longer+10*time.Second {
					t.Errorf("it took %s", took)
				}
				if left := s.Queues(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}
