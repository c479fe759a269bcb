package upload

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
)

const maxSaid = 300 // bytes of a service's words

// said finds what a service's error says to people, in whatever shape it comes:
// texts in fields called message, error, errors, error_description, detail, and
// in those that GitLab names by the field that is wrong; or XML as of AWS.
func said(body []byte) string {
	var texts []string
	var v any
	if json.Unmarshal(body, &v) == nil {
		texts = words(v, false, 4)
	} else {
		var x struct {
			Errors []struct{ Code, Message string } `xml:"Errors>Error"`
		}
		if xml.Unmarshal(body, &x) == nil {
			for _, e := range x.Errors {
				texts = append(texts, e.Code+": "+e.Message)
			}
		}
	}
	slices.Sort(texts)
	text := strings.ToValidUTF8(strings.Join(slices.Compact(texts), "; "), "")
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}

// words collects texts in v; all of them if v is below a field that has some.
func words(v any, all bool, deep int) (out []string) {
	if deep == 0 {
		return nil
	}
	switch v := v.(type) {
	case string:
		if all {
			return []string{v}
		}
	case []any:
		for _, e := range v {
			out = append(out, words(e, all, deep-1)...)
		}
	case map[string]any:
		plain := v["message"] != nil || v["detail"] != nil
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch name {
			case "message", "error", "errors", "error_description", "detail":
				out = append(out, words(v[name], true, deep-1)...)
			default:
				if all && !plain { // {"message": {"key": ["is taken"]}}
					for _, w := range words(v[name], true, deep-1) {
						out = append(out, name+" "+w)
					}
				}
			}
		}
	}
	return out
}
