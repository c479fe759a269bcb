package wire

import "testing"

// TestComment: a key is named after its phone, and after itself only where that
// says more.
func TestComment(t *testing.T) {
	for _, c := range []struct{ key, phone, want string }{
		{"default", "Ana's phone", "Ana's phone"},
		{"", "Ana's phone", "Ana's phone"},
		{"iPhone", "iPhone", "iPhone"}, // a web phone's first key
		{"iPhone", "Ana's phone", "Ana's phone iPhone"},
		{"work", "iPhone", "iPhone work"},
	} {
		if got := (SSHKey{Name: c.key}).Comment(c.phone); got != c.want {
			t.Errorf("the key %q of %q is called %q, want %q", c.key, c.phone, got, c.want)
		}
	}
}
