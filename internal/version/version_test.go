package version

import (
	"regexp"
	"testing"
)

func TestString(t *testing.T) {
	want := regexp.MustCompile(`^\d+\.\d+\.\d+(\+[0-9a-f]{12}(-dirty)?)?$`)
	if got := String(); !want.MatchString(got) {
		t.Errorf("String() = %q, want like 0.1.0 or 0.1.0+abcdef123456-dirty", got)
	}
}
