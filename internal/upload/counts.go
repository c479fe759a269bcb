package upload

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// signing is what forges call a key that verifies signatures and does not log in.
const signing = "signing"

// loginRows are the lines of a list that are not of a key for signatures only. gh and
// glab print fields with tabs between: a title, then the key, when it was added, and
// what it is for, in the order of each program and version.
func loginRows(list []byte) (out []byte) {
	for line := range bytes.Lines(list) {
		fields := strings.Split(string(line), "\t")
		if !slices.ContainsFunc(fields[1:], func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), signing) }) {
			out = append(out, line...)
		}
	}
	return out
}

// loginObjects are the elements of a JSON array without those for signatures only,
// by GitLab's usage_type: auth, signing or auth_and_signing.
func loginObjects(list []byte) []byte {
	var keys []json.RawMessage
	if json.Unmarshal(list, &keys) != nil {
		return list
	}
	var out []byte
	for _, k := range keys {
		var of struct {
			Usage string `json:"usage_type"`
		}
		if json.Unmarshal(k, &of) != nil || of.Usage != signing {
			out = append(out, k...)
		}
	}
	return out
}
