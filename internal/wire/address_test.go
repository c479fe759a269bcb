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
	if text := fmt.Sprintf("%v %+v %#v %s", a, a, a, a.LogValue()); strings.Contains(text, "0a0a") {
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
