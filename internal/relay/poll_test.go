package relay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/relay/relaytest"
)

// poller polls one mailbox. post makes one HTTP request.
type poller struct {
	t      testing.TB
	key    mailbox.Key
	origin string
	nonce  []byte // for the next poll
	post   func(ctx context.Context, body string) (int, http.Header, []byte)
}

func newPoller(t testing.TB, origin string, key mailbox.Key) *poller {
	return &poller{t: t, key: key, origin: origin, post: func(ctx context.Context, body string) (int, http.Header, []byte) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+mailbox.PollPath(key.Address()), strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0, nil, nil
		}
		req.Header[mailbox.HeaderIdempotencyKey] = nil // repeat it after a stale connection
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, nil, nil
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, b
	}}
}

// sign adds the proof for the nonce that is at hand.
func (p *poller) sign(poll mailbox.Poll) mailbox.Poll {
	p.t.Helper()
	sig, err := mailbox.SignRead(p.key, p.origin, p.nonce)
	if err != nil {
		p.t.Fatal(err)
	}
	poll.PublicKey, poll.Nonce, poll.Signature = p.key.Public(), p.nonce, sig
	return poll
}

func (p *poller) send(poll mailbox.Poll) (int, mailbox.PollReply) {
	p.t.Helper()
	code, h, b := p.post(p.t.Context(), string(poll.Encode()))
	reply, err := mailbox.ParsePollReply(b)
	if code != 0 && err != nil {
		p.t.Errorf("answer %d %q: %v", code, b, err)
	}
	if code != 0 && h.Get("Content-Type") != "application/json" {
		p.t.Errorf("answer %d: Content-Type is %q", code, h.Get("Content-Type"))
	}
	if len(reply.Nonce) > 0 {
		p.nonce = reply.Nonce
	}
	return code, reply
}

// want sends a proven poll and returns the reply.
func (p *poller) want(code int, poll mailbox.Poll) mailbox.PollReply {
	p.t.Helper()
	if p.nonce == nil {
		p.renew()
	}
	got, reply := p.send(p.sign(poll))
	if got != code {
		p.t.Fatalf("poll = %d %s, want %d", got, reply.Error, code)
	}
	return reply
}

// renew gets a nonce as a newcomer does.
func (p *poller) renew() {
	p.t.Helper()
	if code, reply := p.send(mailbox.Poll{}); code != 401 || len(reply.Nonce) != mailbox.NonceSize {
		p.t.Fatalf("poll without a proof = %d, %+v", code, reply)
	}
}

func bodies(r mailbox.PollReply) (out []string) {
	for _, f := range r.Frames {
		out = append(out, string(f.Frame))
	}
	return out
}

func seqs(r mailbox.PollReply) (out []mailbox.Seq) {
	for _, f := range r.Frames {
		out = append(out, f.Seq)
	}
	return out
}

func TestPoll(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	p := newPoller(t, r.Origin(), key)
	if code := post(t, r.Origin(), key.Address(), "x"); code != 404 {
		t.Errorf("post before the first proven read = %d", code)
	}
	p.renew()
	if code := post(t, r.Origin(), key.Address(), "x"); code != 404 {
		t.Errorf("a poll without a proof made the mailbox: post = %d", code)
	}
	if got := p.want(200, mailbox.Poll{}); len(got.Frames) > 0 {
		t.Errorf("a new mailbox holds %q", bodies(got))
	}
	mustPost(t, r.Origin(), key.Address(), "one", "two", "three")
	first := p.want(200, mailbox.Poll{})
	if got := bodies(first); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Fatalf("frames are %q", got)
	}
	// What is not acknowledged comes again, unless After leaves it out.
	s := seqs(first)
	if got := bodies(p.want(200, mailbox.Poll{Ack: []mailbox.Seq{s[1], 1 << 63}})); !slices.Equal(got, []string{"one", "three"}) {
		t.Errorf("after an acknowledgement came %q", got)
	}
	if got := bodies(p.want(200, mailbox.Poll{After: s[0]})); !slices.Equal(got, []string{"three"}) {
		t.Errorf("after %v came %q", s[0], got)
	}
	if got := bodies(p.want(200, mailbox.Poll{Ack: s})); got != nil {
		t.Errorf("after all acknowledgements came %q", got)
	}
	// And so it stays for who reads otherwise.
	settle(t, connect(t, r.Origin(), key))
}

func TestPollReplyIsBounded(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	p := newPoller(t, r.Origin(), key)
	p.want(200, mailbox.Poll{})
	big := strings.Repeat("x", mailbox.MaxFrame)
	mustPost(t, r.Origin(), key.Address(), "small", big, big)
	for range mailbox.MaxPollFrames + 1 {
		mustPost(t, r.Origin(), key.Address(), "s")
	}
	var got []int
	for len(got) < 10 {
		reply := p.want(200, mailbox.Poll{WaitSeconds: 1})
		if len(reply.Frames) == 0 {
			break
		}
		got = append(got, len(reply.Frames))
		if p.want(200, mailbox.Poll{Ack: seqs(reply), After: 1 << 62}).Frames != nil {
			t.Error("frames after the last one")
		}
	}
	if want := []int{1, 1, 1, mailbox.MaxPollFrames, 1}; !slices.Equal(got, want) {
		t.Errorf("replies hold %v frames, want %v", got, want)
	}
}

func TestPollProofs(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) { c.Now = at.Now })
	key, other := newKey(t), newKey(t)
	newcomer := func() *poller {
		p := newPoller(t, r.Origin(), key)
		p.renew()
		return p
	}
	flip := func(b []byte) []byte { b = slices.Clone(b); b[len(b)-1] ^= 1; return b }
	rows := map[string]struct {
		code int
		poll func(*poller) mailbox.Poll
	}{
		"good": {200, func(p *poller) mailbox.Poll { return p.sign(mailbox.Poll{}) }},
		"same nonce twice": {401, func(p *poller) mailbox.Poll {
			poll := p.sign(mailbox.Poll{})
			p.send(poll)
			return poll
		}},
		"older nonce": {401, func(p *poller) mailbox.Poll {
			poll := p.sign(mailbox.Poll{})
			p.renew()
			p.want(200, mailbox.Poll{})
			return poll
		}},
		"two nonces in their order": {200, func(p *poller) mailbox.Poll {
			first := p.sign(mailbox.Poll{})
			p.renew()
			second := p.sign(mailbox.Poll{})
			p.send(first)
			return second
		}},
		"another mailbox's nonce": {401, func(p *poller) mailbox.Poll {
			o := newPoller(t, r.Origin(), other)
			o.renew()
			p.nonce = o.nonce
			return p.sign(mailbox.Poll{})
		}},
		"a nonce of its own making": {401, func(p *poller) mailbox.Poll { p.nonce = flip(p.nonce); return p.sign(mailbox.Poll{}) }},
		"another time in the nonce": {401, func(p *poller) mailbox.Poll { p.nonce[0] ^= 1; return p.sign(mailbox.Poll{}) }},
		"a WebSocket's nonce": {401, func(p *poller) mailbox.Poll {
			_, p.nonce = dial(t, r.Origin(), key.Address())
			return p.sign(mailbox.Poll{})
		}},
		"nonce at the end of its life": {200, func(p *poller) mailbox.Poll { at.add(mailbox.NonceLife); return p.sign(mailbox.Poll{}) }},
		"nonce past its life": {401, func(p *poller) mailbox.Poll {
			at.add(mailbox.NonceLife + time.Millisecond)
			return p.sign(mailbox.Poll{})
		}},
		"used nonce after a sweep": {401, func(p *poller) mailbox.Poll {
			poll := p.sign(mailbox.Poll{})
			p.send(poll)
			if err := r.Server().Sweep(at.add(mailbox.NonceLife - time.Second)); err != nil {
				t.Error(err)
			}
			return poll
		}},
		"another origin": {403, func(p *poller) mailbox.Poll { p.origin = "https://evil.example"; return p.sign(mailbox.Poll{}) }},
		"another key":    {403, func(p *poller) mailbox.Poll { p.key = other; return p.sign(mailbox.Poll{}) }},
		"another's signature": {403, func(p *poller) mailbox.Poll {
			poll := p.sign(mailbox.Poll{})
			poll.Signature = (&poller{t: t, key: other, origin: p.origin, nonce: p.nonce}).sign(poll).Signature
			return poll
		}},
		"flipped signature": {403, func(p *poller) mailbox.Poll {
			poll := p.sign(mailbox.Poll{})
			poll.Signature = flip(poll.Signature)
			return poll
		}},
		"no signature": {403, func(p *poller) mailbox.Poll { return mailbox.Poll{Nonce: p.nonce, PublicKey: key.Public()} }},
		"no key":       {403, func(p *poller) mailbox.Poll { return mailbox.Poll{Nonce: p.nonce} }},
	}
	tally := attacktest.New(t, "proofs for a mailbox, forged and replayed")
	for name, row := range rows {
		for _, del := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				p := newcomer()
				p.t = t
				poll := row.poll(p)
				poll.Delete = del
				code, reply := p.send(poll)
				if code != row.code || (code == 401) != (reply.Error != "" && reply.Nonce != nil) {
					t.Errorf("poll = %d %+v, want %d", code, reply, row.code)
				}
				switch {
				case row.code == 200: // no attack
				case code == 200 || reply.Frames != nil || reply.Deleted:
					tally.Succeeded("%s: a poll that must be refused: %d, %+v", name, code, reply)
				default:
					tally.Rejected()
				}
			})
		}
	}
	// None of the refused ones made a mailbox, and a 401's nonce is good.
	if code := post(t, r.Origin(), other.Address(), "x"); code != 404 {
		t.Errorf("post to the other key's mailbox = %d", code)
	}
	p := newcomer()
	poll := p.sign(mailbox.Poll{})
	p.send(poll)
	if code, _ := p.send(poll); code != 401 {
		t.Errorf("replay = %d", code)
	}
	p.want(200, mailbox.Poll{})
}

// A nonce counts only at the process that gave it, so nothing is left to replay
// after a restart, which forgets what was taken.
func TestPollNonceDiesWithTheRelay(t *testing.T) {
	r := relaytest.New(t)
	p := newPoller(t, r.Origin(), newKey(t))
	p.renew()
	poll := p.sign(mailbox.Poll{})
	r.Restart()
	if code, _ := p.send(poll); code != 401 {
		t.Errorf("poll with a nonce from before the restart = %d", code)
	}
	p.want(200, mailbox.Poll{})
}

func TestPollOrigins(t *testing.T) {
	r := relaytest.New(t, func(c *relay.Config) { c.Origins = []string{"https://relay.example", "https://second.example"} })
	for _, o := range []string{"https://relay.example", "https://second.example"} {
		p := newPoller(t, r.Origin(), newKey(t))
		p.origin = o
		p.want(200, mailbox.Poll{})
	}
	newPoller(t, r.Origin(), newKey(t)).want(403, mailbox.Poll{}) // what the Host header says does not count now

	r = relaytest.New(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Origin()+mailbox.PollPath(newKey(t).Address()), strings.NewReader(`{}`))
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("poll with a foreign Host = %d", resp.StatusCode)
	}
}

func TestPollBodyIsBounded(t *testing.T) {
	r := relaytest.New(t)
	p := newPoller(t, r.Origin(), newKey(t))
	for body, want := range map[string]int{
		`{"x":"` + strings.Repeat("x", mailbox.MaxPoll) + `"}`:   413,
		`{"x":"` + strings.Repeat("x", mailbox.MaxPoll-8) + `"}`: 401,
		``: 400, `[]`: 400, `{"nonce":"AAAA"}`: 400,
	} {
		if code, _, b := p.post(t.Context(), body); code != want {
			t.Errorf("poll of %d bytes = %d %s, want %d", len(body), code, b, want)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Origin()+mailbox.PollPath(p.key.Address()), io.MultiReader(strings.NewReader(strings.Repeat(" ", mailbox.MaxPoll)), strings.NewReader("{}")))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("too long a poll in chunks = %d", resp.StatusCode)
	}
}

func TestPollLimits(t *testing.T) {
	at := &clock{now: time.Now()}
	r := relaytest.New(t, func(c *relay.Config) {
		c.Now = at.Now
		c.Limits = relay.Limits{SendRate: 1, SendBurst: 4, NewPerHour: 1, Mailboxes: 2, Connections: 1}
	})
	p := newPoller(t, r.Origin(), newKey(t))
	p.want(200, mailbox.Poll{}) // two of four
	q := newPoller(t, r.Origin(), newKey(t))
	q.want(429, mailbox.Poll{}) // the one new mailbox of this hour is there
	if code, h, _ := q.post(t.Context(), `{}`); code != 429 || h.Get("Retry-After") != "1" {
		t.Errorf("fifth poll = %d, Retry-After %q", code, h.Get("Retry-After"))
	}
	at.add(time.Hour)
	q.nonce = nil
	q.want(200, mailbox.Poll{})
	at.add(time.Hour)
	third := newPoller(t, r.Origin(), newKey(t))
	third.want(429, mailbox.Poll{})
	third.nonce = nil
	third.want(200, mailbox.Poll{Delete: true}) // makes none
	at.add(time.Hour)
	connect(t, r.Origin(), p.key)
	p.nonce = nil
	p.want(503, mailbox.Poll{}) // beside the one connection
}

// waiting polls from a goroutine and returns once the relay has it as reader:
// the connection conn, which is that until then, is replaced.
func waiting(t *testing.T, origin string, key mailbox.Key) (answer chan int, reply *mailbox.PollReply) {
	t.Helper()
	conn := connect(t, origin, key)
	p := newPoller(t, origin, key)
	p.renew()
	answer, reply = make(chan int, 1), new(mailbox.PollReply)
	poll := p.sign(mailbox.Poll{WaitSeconds: 25})
	go func() {
		code, r := p.send(poll)
		*reply = r
		answer <- code
	}()
	wantClose(t, conn, mailbox.CloseSuperseded)
	return answer, reply
}

func wantAnswer(t *testing.T, answer chan int, want int) {
	t.Helper()
	select {
	case code := <-answer:
		if code != want {
			t.Errorf("poll = %d, want %d", code, want)
		}
	case <-time.After(patience):
		t.Fatal("the poll is not answered")
	}
}

func TestPollAndWebSocketReplaceEachOther(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	answer, reply := waiting(t, r.Origin(), key) // a poll ends a WebSocket
	conn := connect(t, r.Origin(), key)          // a WebSocket ends a poll
	wantAnswer(t, answer, 409)
	if len(reply.Nonce) != mailbox.NonceSize || reply.Frames != nil {
		t.Errorf("a replaced poll got %+v", reply)
	}
	// A poll that does not wait leaves the WebSocket alone.
	mustPost(t, r.Origin(), key.Address(), "x")
	if got := bodies(newPoller(t, r.Origin(), key).want(200, mailbox.Poll{})); !slices.Equal(got, []string{"x"}) {
		t.Errorf("poll = %q", got)
	}
	want(t, conn, "x")
	settle(t, conn)

	key = newKey(t)
	first, _ := waiting(t, r.Origin(), key)
	second := newPoller(t, r.Origin(), key)
	second.renew()
	done := make(chan int, 1)
	poll := second.sign(mailbox.Poll{WaitSeconds: 25})
	go func() { code, _ := second.send(poll); done <- code }()
	wantAnswer(t, first, 409) // a poll ends a poll
	mustPost(t, r.Origin(), key.Address(), "y")
	wantAnswer(t, done, 200)
}

func TestPostEndsPoll(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	answer, reply := waiting(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "x")
	wantAnswer(t, answer, 200)
	if !slices.Equal(bodies(*reply), []string{"x"}) {
		t.Errorf("poll = %q", bodies(*reply))
	}
}

func TestShutdownEndsPolls(t *testing.T) {
	r := relaytest.New(t)
	var answers []chan int
	for range 3 {
		answer, _ := waiting(t, r.Origin(), newKey(t))
		answers = append(answers, answer)
	}
	r.Stop()
	for _, a := range answers {
		wantAnswer(t, a, 503)
	}
	r.Start()
}

// A reply that never arrives costs nothing: its frames come again until they
// are acknowledged.
func TestLostPollReply(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	p := newPoller(t, r.Origin(), key)
	p.want(200, mailbox.Poll{})
	mustPost(t, r.Origin(), key.Address(), "x")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		poll := p.sign(mailbox.Poll{WaitSeconds: 1})
		cancel()
		p.post(ctx, string(poll.Encode())) // not even sent, or cut
		code, _ := p.send(poll)
		if code == 401 { // the cut one was taken
			continue
		}
		if code != 200 {
			t.Errorf("poll = %d", code)
		}
	}
	got := p.want(200, mailbox.Poll{})
	if !slices.Equal(bodies(got), []string{"x"}) {
		t.Errorf("frames are %q", bodies(got))
	}
	p.want(200, mailbox.Poll{Ack: seqs(got)})
	if got := p.want(200, mailbox.Poll{}); got.Frames != nil {
		t.Errorf("an acknowledged frame came again: %q", bodies(got))
	}
}

func TestDeleteMailbox(t *testing.T) {
	r := relaytest.New(t)
	key := newKey(t)
	conn := connect(t, r.Origin(), key)
	mustPost(t, r.Origin(), key.Address(), "x")
	want(t, conn, "x")
	p := newPoller(t, r.Origin(), key)
	if reply := p.want(200, mailbox.Poll{Delete: true, WaitSeconds: 25}); !reply.Deleted || reply.Nonce != nil || reply.Frames != nil {
		t.Errorf("deletion = %+v", reply)
	}
	wantClose(t, conn, mailbox.CloseDeleted)
	gone := func(when string) {
		t.Helper()
		if code := post(t, r.Origin(), key.Address(), "y"); code != 404 {
			t.Errorf("post to a deleted mailbox %s = %d", when, code)
		}
	}
	gone("at once")
	r.Restart()
	gone("after a restart")
	p.nonce = nil
	p.want(200, mailbox.Poll{Delete: true}) // what is not there can be deleted, and is not made
	gone("twice")
	settle(t, connect(t, r.Origin(), key)) // it is empty

	answer, _ := waiting(t, r.Origin(), key)
	p.nonce = nil
	p.want(200, mailbox.Poll{Delete: true})
	wantAnswer(t, answer, 410)
	gone("while a poll waited")
}

// serving calls the relay without a network, so that time can be virtual.
func serving(t *testing.T, s *relay.Server, key mailbox.Key) *poller {
	return &poller{t: t, key: key, origin: "http://localhost", post: func(ctx context.Context, body string) (int, http.Header, []byte) {
		w := httptest.NewRecorder()
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+mailbox.PollPath(key.Address()), strings.NewReader(body))
		s.ServeHTTP(w, req)
		return w.Code, w.Header(), w.Body.Bytes()
	}}
}

func TestPollWaitsAsLongAsItAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := relay.New(relay.Config{Store: memstore.New()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := serving(t, s, newKey(t))
		for ask, wait := range map[int]time.Duration{0: 0, 1: time.Second, 25: 25 * time.Second, 26: mailbox.MaxPollWait, 1 << 60: mailbox.MaxPollWait} {
			start := time.Now()
			if got := p.want(200, mailbox.Poll{WaitSeconds: ask}); got.Frames != nil || time.Since(start) != wait {
				t.Errorf("a poll for %d s took %v", ask, time.Since(start))
			}
		}
		// Who hangs up is not waited for, and reads no more.
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		start := time.Now()
		p.post(ctx, string(p.sign(mailbox.Poll{WaitSeconds: 25}).Encode()))
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("a poll that was hung up took %v", took)
		}
	})
}

// A poll that is over reads no more: its mailbox expires like any other.
func TestPolledMailboxExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		s, err := relay.New(relay.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := serving(t, s, newKey(t))
		p.want(200, mailbox.Poll{WaitSeconds: 1})
		for late, want := range map[time.Duration]bool{mailbox.UnreadRetention - time.Hour: true, mailbox.UnreadRetention + time.Hour: false} {
			if err := s.Sweep(time.Now().Add(late)); err != nil {
				t.Fatal(err)
			}
			if there, err := store.Exists(t.Context(), p.key.Address()); !there && want || there && !want {
				t.Errorf("%v after the last poll the mailbox is there: %v, %v", late, there, err)
			}
			p.nonce = nil
			p.want(200, mailbox.Poll{WaitSeconds: 1})
		}
	})
}
