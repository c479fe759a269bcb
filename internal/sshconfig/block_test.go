package sshconfig

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var block = Block{Home: "/home/ana/.kr", Socket: "agent.sock"}

const text = begin + "\nIdentityAgent \"/home/ana/.kr/agent.sock\"\n" + end + "\n"

func TestPutAndRemove(t *testing.T) {
	crlf := strings.ReplaceAll(text, "\n", "\r\n")
	for _, c := range []struct{ name, config, put, removed string }{
		{"empty", "", text, ""},
		{"a host", "Host a\n  User b\n", text + "Host a\n  User b\n", "Host a\n  User b\n"},
		{"no final newline", "Host a", text + "Host a", "Host a"},
		{"an include first", "Include conf.d/*\n", text + "Include conf.d/*\n", "Include conf.d/*\n"},
		{"CRLF", "Host a\r\n  User b\r\n", crlf + "Host a\r\n  User b\r\n", "Host a\r\n  User b\r\n"},
		{"CRLF, no final newline", "Host a\r\n  User b", crlf + "Host a\r\n  User b", "Host a\r\n  User b"},
		{"a newline alone", "\n", text + "\n", "\n"},
		{"the block already", text + "Host a\n", text + "Host a\n", "Host a\n"},
		{"the block alone, cut at its end", strings.TrimSuffix(text, "\n"), text, ""},
		{"the block further down", "User b\n" + text + "Host a\n", text + "User b\nHost a\n", "User b\nHost a\n"},
		{"the block twice", text + "User b\n" + text, text + "User b\n", "User b\n"},
		{"the block of an older kr", beginMark + ": other words\nIdentityAgent \"/home/ana/.kr/old.sock\"\nIdentityFile \"/home/ana/.kr/keys/0.pub\"\n" + end + "\nUser b\n",
			text + "User b\n", "User b\n"},
		{"a person's lines in the block", begin + "\nIdentityAgent \"/home/ana/.kr/agent.sock\"\n# mine\nHost c\n  IdentityAgent none\n" + end + "\nUser b\n",
			text + "# mine\nHost c\n  IdentityAgent none\nUser b\n", "# mine\nHost c\n  IdentityAgent none\nUser b\n"},
		{"a person's agent outside the block", "IdentityAgent \"/home/ana/.kr/agent.sock\"\n", text + "IdentityAgent \"/home/ana/.kr/agent.sock\"\n",
			"IdentityAgent \"/home/ana/.kr/agent.sock\"\n"},
		{"another state directory's agent in the block", begin + "\nIdentityAgent \"/home/ana/.kr2/agent.sock\"\n" + end + "\n",
			text + "IdentityAgent \"/home/ana/.kr2/agent.sock\"\n", "IdentityAgent \"/home/ana/.kr2/agent.sock\"\n"},
	} {
		put, err := block.Put([]byte(c.config))
		if string(put) != c.put || err != nil {
			t.Errorf("%s: Put = %q, %v, want %q", c.name, put, err, c.put)
		}
		if removed, err := block.Remove([]byte(c.config)); string(removed) != c.removed || err != nil {
			t.Errorf("%s: Remove = %q, %v, want %q", c.name, removed, err, c.removed)
		}
		if again, err := block.Put(put); string(again) != c.put || err != nil {
			t.Errorf("%s: Put twice = %q, %v", c.name, again, err)
		}
	}
}

func TestHalfABlock(t *testing.T) {
	for _, c := range []struct {
		name, config string
		want         MarkerError
	}{
		{"no end", "User b\n" + begin + "\nHost a\n", MarkerError{2, true}},
		{"begins twice", begin + "\n" + text, MarkerError{1, true}},
		{"no begin", "User b\nHost a\n" + end + "\n", MarkerError{3, false}},
	} {
		_, err := block.Put([]byte(c.config))
		if e := new(MarkerError); !errors.As(err, &e) || *e != c.want || len(e.Hint()) == 0 {
			t.Errorf("%s: Put: %v, want %v", c.name, err, &c.want)
		}
	}
}

func TestKeysAndPercents(t *testing.T) {
	b := Block{Home: "/home/100% ana/.kr", Socket: "agent.sock", Keys: []string{"keys/1.pub"}, Own: []string{"id_rsa"}}
	want := begin + `
IdentityAgent "/home/100%% ana/.kr/agent.sock"
IdentityFile "/home/100%% ana/.kr/keys/1.pub"
IdentityFile %d/.ssh/id_rsa
` + end + "\n"
	if b.Text() != want {
		t.Errorf("Text = %q, want %q", b.Text(), want)
	}
	put, err := b.Put([]byte("User b\n"))
	if err != nil {
		t.Fatal(err)
	}
	b.Keys, b.Own = nil, nil
	if rest, err := b.Remove(put); string(rest) != "User b\n" || err != nil {
		t.Errorf("Remove = %q, %v", rest, err)
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
	for _, home := range []string{"relative", `/a"b`, "/a\nb", "/a${B}", `/a\b`} {
		if (Block{Home: home}).Check() == nil {
			t.Errorf("%q is taken", home)
		}
	}
}

// FuzzBlock: what is put in comes out again, and every other byte stays.
func FuzzBlock(f *testing.F) {
	for _, s := range []string{"", "Host a\n", "Host a\r\n", "a", text, text + "x", "x\n" + text, begin, end + "\n", begin + "\nHost c\n" + end, "\r\n", "\n\n\r", strings.Repeat(text, 2)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		rest, err := block.Remove(config)
		put, err2 := block.Put(config)
		if err != nil || err2 != nil {
			if err == nil || err2 == nil {
				t.Fatalf("%q: Remove: %v, Put: %v", config, err, err2)
			}
			return
		}
		if !strings.Contains(string(config), beginMark) && string(rest) != string(config) {
			t.Fatalf("%q without a block became %q", config, rest)
		}
		if back, err := block.Remove(put); err != nil || string(back) != string(rest) {
			t.Fatalf("%q: Put, then Remove = %q, %v, want %q", config, back, err, rest)
		}
		if again, err := block.Put(put); err != nil || string(again) != string(put) {
			t.Fatalf("%q: Put = %q, and put once more %q, %v", config, put, again, err)
		}
		if !strings.HasSuffix(string(put), string(rest)) {
			t.Fatalf("%q: Put = %q does not end in %q", config, put, rest)
		}
	})
}

// TestNamed: the keys of the block are read back as they were put, and no others.
func TestNamed(t *testing.T) {
	b := Block{Home: "/home/100% ana/.kr", Socket: "agent.sock", Keys: []string{"keys/0.pub", "keys/5%.pub"}, Own: []string{"id_rsa"}}
	whole, err := b.Put([]byte("IdentityFile %d/.ssh/id_other\r\nHost a\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if keys, own := b.Named(whole); !slices.Equal(keys, b.Keys) || !slices.Equal(own, b.Own) {
		t.Errorf("of %q: %q, %q", whole, keys, own)
	}
	for _, config := range []string{"", "Host a\n", strings.TrimPrefix(string(whole), begin), strings.Split(string(whole), end)[0]} {
		if keys, own := b.Named([]byte(config)); keys != nil || own != nil {
			t.Errorf("of %q: %q, %q", config, keys, own)
		}
	}
}
