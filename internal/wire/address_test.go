package wire

import (
	"fmt"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

func someSQS() SQSAddress {
	return SQSAddress{Region: "eu-central-1", Account: "123456789012",
		ToComputer: "kr-" + strings.Repeat("0a", 16), ToPhone: "kr-" + strings.Repeat("b1", 16)}
}

// TestSQSAddressRules: an address holds nothing that could lead anywhere but to
// two queues of ours, and one that breaks a rule makes the message none.
func TestSQSAddressRules(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*SQSAddress)
		ok    bool
	}{
		"whole":                        {func(*SQSAddress) {}, true},
		"China":                        {func(a *SQSAddress) { a.Region = "cn-northwest-1" }, true},
		"a region for the government":  {func(a *SQSAddress) { a.Region = "us-gov-west-1" }, true},
		"a region of two digits":       {func(a *SQSAddress) { a.Region = "ap-southeast-12" }, true},
		"no prefix":                    {func(a *SQSAddress) { a.ToPhone = a.ToPhone[3:] }, true},
		"the longest prefix":           {func(a *SQSAddress) { a.ToPhone = strings.Repeat("-", 29) + a.ToPhone }, true},
		"a longer prefix":              {func(a *SQSAddress) { a.ToPhone = strings.Repeat("-", 30) + a.ToPhone }, false},
		"no region":                    {func(a *SQSAddress) { a.Region = "" }, false},
		"a host for a region":          {func(a *SQSAddress) { a.Region = "evil.example/eu-central-1" }, false},
		"a region with a dot":          {func(a *SQSAddress) { a.Region = "eu-central.evil-1" }, false},
		"a region with a user":         {func(a *SQSAddress) { a.Region = "eu-central@evil-1" }, false},
		"a region with a line end":     {func(a *SQSAddress) { a.Region = "eu-central-1\n" }, false},
		"a region in capitals":         {func(a *SQSAddress) { a.Region = "EU-CENTRAL-1" }, false},
		"a region with an empty word":  {func(a *SQSAddress) { a.Region = "eu--1" }, false},
		"a region without a number":    {func(a *SQSAddress) { a.Region = "eu-central-x" }, false},
		"a region of three digits":     {func(a *SQSAddress) { a.Region = "eu-central-123" }, false},
		"a region off the Internet":    {func(a *SQSAddress) { a.Region = "us-isob-east-1" }, false},
		"a long region":                {func(a *SQSAddress) { a.Region = "eu-" + strings.Repeat("x", 40) + "-1" }, false},
		"a short account":              {func(a *SQSAddress) { a.Account = "12345678901" }, false},
		"an account with a slash":      {func(a *SQSAddress) { a.Account = "1234567890/2" }, false},
		"digits that are not ASCII":    {func(a *SQSAddress) { a.Account = "١٢٣٤٥٦" }, false},
		"a queue with a slash":         {func(a *SQSAddress) { a.ToComputer = "a/" + a.ToComputer }, false},
		"a queue in capitals":          {func(a *SQSAddress) { a.ToComputer = strings.ToUpper(a.ToComputer) }, false},
		"a queue that can be guessed":  {func(a *SQSAddress) { a.ToComputer = "orders" }, false},
		"a queue with a short number":  {func(a *SQSAddress) { a.ToComputer = a.ToComputer[:len(a.ToComputer)-1] }, false},
		"an empty queue":               {func(a *SQSAddress) { a.ToPhone = "" }, false},
		"one queue for both ways":      {func(a *SQSAddress) { a.ToPhone = a.ToComputer }, false},
		"a FIFO queue":                 {func(a *SQSAddress) { a.ToPhone += ".fifo" }, false},
		"a queue that is not in ASCII": {func(a *SQSAddress) { a.ToPhone = "ſ" + a.ToPhone }, false},
	} {
		a := someSQS()
		c.spoil(&a)
		for kind, m := range map[string]Message{
			"hello": {Request: &Request{K: Protocol, Me: &MeRequest{Addresses: []Address{{SQS: &a}}}}},
			"ack":   {Response: &Response{K: Protocol, Ack: &Ack{Addresses: []Address{{}, {SQS: &a}}}}},
		} {
			plain, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(plain); (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
	a := someSQS()
	if text := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(text, "0a0a") {
		t.Errorf("it prints as %s", text)
	}
}

// TestAddressRules: one address is of one channel, and there are few of them.
// Channels of a later version are left out, not refused.
func TestAddressRules(t *testing.T) {
	a := someSQS()
	hello := func(list ...Address) []byte {
		plain, err := Encode(Message{Request: &Request{K: Protocol, Me: &MeRequest{Addresses: list}}})
		if err != nil {
			t.Fatal(err)
		}
		return plain
	}
	if _, err := Decode(hello(Address{Relay: &RelayAddress{}, SQS: &a})); err == nil {
		t.Error("an address of two channels is taken")
	}
	if _, err := Decode(hello(make([]Address, MaxAddresses)...)); err != nil {
		t.Errorf("%d addresses: %v", MaxAddresses, err)
	}
	if _, err := Decode(hello(make([]Address, MaxAddresses+1)...)); err == nil {
		t.Error("more than so many addresses are taken")
	}
	later := `{"request":{"k":1,"me_request":{"addresses":[{"pigeon":{"loft":1}},{"sqs":{"region":"eu-central-1","account":"123456789012",` +
		`"to_computer":"` + a.ToComputer + `","to_phone":"` + a.ToPhone + `","also":2}}]}}}`
	m, err := Decode(sealbox.Pad([]byte(later)))
	if err != nil || len(m.Request.Me.Addresses) != 2 || *m.Request.Me.Addresses[1].SQS != a {
		t.Errorf("a later version's addresses: %v", err)
	}
}

// TestMeeting: a link can name a place at SQS instead of a relay, and nothing
// that is no such place. The names of its queues were computed by another HKDF.
func TestMeeting(t *testing.T) {
	inv := invitation()
	inv.Relay, inv.Rendezvous = "", [16]byte{}
	code, _, _ := strings.Cut(inv.Link()+"/", "/#")
	_, payload, _ := strings.Cut(inv.Link(), "#")
	for _, m := range []Meeting{{"eu-central-1", "123456789012", ""}, {"us-gov-west-1", "000000000000", "kryptonite-"}} {
		inv.SQS = m
		want := code + "/#" + strings.TrimSuffix(payload, "/R:") + "/S:" + strings.ToUpper(m.Region) + ":" + m.Account
		if m.Prefix != "" {
			want += ":" + strings.ToUpper(m.Prefix)
		}
		if got := inv.Link(); got != want {
			t.Errorf("link = %s, want %s", got, want)
		}
		for _, s := range []string{want, strings.ToLower(want)} {
			if got, err := ParseLink(s); err != nil || got != inv {
				t.Errorf("ParseLink(%s) = %+v, %v", s, got, err)
			}
		}
		q := m.Queues(inv.CPub)
		if q.ToComputer != m.Prefix+"3ef63007bfc9a6fb82ceacae3a02d60f" || q.ToPhone != m.Prefix+"4a2b2e595bbb346bf6958e0063234a91" || q.Check() != nil {
			t.Errorf("the queues are called %s and %s", q.ToComputer, q.ToPhone)
		}
	}
	good := inv.Link()
	head, _, _ := strings.Cut(good, "/S:")
	withBox := invitation()
	withBox.Relay, withBox.SQS = "", inv.SQS
	for name, s := range map[string]string{
		"nothing": head + "/S:", "no account": head + "/S:EU-CENTRAL-1", "a short account": head + "/S:EU-CENTRAL-1:1",
		"no region": head + "/S::123456789012", "a host": head + "/S:EVIL.EXAMPLE:123456789012", "an empty prefix": head + "/S:EU-CENTRAL-1:123456789012:",
		"a bad prefix": head + "/S:EU-CENTRAL-1:123456789012:A/B", "more": head + "/S:EU-CENTRAL-1:123456789012:A:B",
		"a long prefix":  head + "/S:EU-CENTRAL-1:123456789012:" + strings.Repeat("A", MaxQueuePrefix+1),
		"a mailbox, too": withBox.Link(), "a relay, too": good + "/R:RELAY.EXAMPLE", "a relay before": head + "/R:RELAY.EXAMPLE/S:EU-CENTRAL-1:123456789012",
		"a place twice": good + "/S:EU-CENTRAL-1:123456789012", "no capitals that are": head + "/S:EU-CENTRAL-1:123456789012:ſ",
	} {
		if got, err := ParseLink(s); err == nil {
			t.Errorf("%s: ParseLink = %+v", name, got)
		}
	}
}

// FuzzSQSAddress: what passes holds no byte that means something in a URL, a
// header, JSON or an IAM policy.
func FuzzSQSAddress(f *testing.F) {
	a := someSQS()
	f.Add(a.Region, a.Account, a.ToComputer, a.ToPhone)
	f.Add("us-gov-west-1", "000000000000", a.ToPhone[3:], a.ToComputer)
	f.Add("eu-central-1.evil.example/x", "1234567890/2", "../"+a.ToComputer, "*")
	f.Add("eu-central-1@evil", "123456789012?", a.ToComputer+"#", a.ToPhone+"\r\n")
	f.Fuzz(func(t *testing.T, region, account, toComputer, toPhone string) {
		a := SQSAddress{region, account, toComputer, toPhone}
		if a.Check() != nil {
			return
		}
		all := region + account + toComputer + toPhone
		if strings.Trim(all, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(all) > 32+12+2*80 {
			t.Errorf("%q %q %q %q is an address", region, account, toComputer, toPhone)
		}
	})
}
