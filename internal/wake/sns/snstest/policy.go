package snstest

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// policy is an IAM policy, as far as the double knows the language: statements
// that allow lists of actions on lists of resources, without conditions.
type policy struct {
	Version   string
	Statement []struct {
		Effect           string
		Action, Resource []string
	}
}

func parsePolicy(document string) *policy {
	p := new(policy)
	d := json.NewDecoder(strings.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil || p.Version != "2012-10-17" {
		panic("snstest: not an IAM policy that the double knows: " + document)
	}
	return p
}

// allows reports whether an action is allowed on an application, or on an
// endpoint as well as on its application.
func (p *policy) allows(action, arn string) bool {
	if !strings.Contains(arn, ":endpoint/") {
		return p.one(action, arn)
	}
	app := strings.Replace(path.Dir(arn), ":endpoint/", ":app/", 1)
	return p.one(action, arn) && p.one(action, app)
}

func (p *policy) one(action, arn string) bool {
	for _, st := range p.Statement {
		if st.Effect == "Allow" && slices.ContainsFunc(st.Action, func(a string) bool { return matches(strings.ToLower(a), strings.ToLower(action)) }) &&
			slices.ContainsFunc(st.Resource, func(r string) bool { return matches(r, arn) }) {
			return true
		}
	}
	return false
}

// matches takes * for any characters and ? for one.
func matches(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return matches(pattern[1:], s) || s != "" && matches(pattern, s[1:])
	case s == "":
		return false
	}
	return (pattern[0] == '?' || pattern[0] == s[0]) && matches(pattern[1:], s[1:])
}
