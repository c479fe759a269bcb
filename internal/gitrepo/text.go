package gitrepo

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxText = 256 // bytes of what is shown

// validBranch reports whether git takes s for a branch, and a screen for text.
// [git-check-ref-format(1)]
func validBranch(s string) bool {
	return shown(s) && !strings.ContainsAny(s, " ~^:?*[\\") && !strings.Contains(s, "..") && !strings.Contains(s, "@{") &&
		s[0] != '-' && s[0] != '/' && !strings.HasSuffix(s, "/") && !strings.HasSuffix(s, ".")
}

// shown reports whether s is there, short and printable.
func shown(s string) bool {
	return s != "" && len(s) <= maxText && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// config is what matters of a git configuration: URLs of remotes, and remotes of
// branches, by name.
type config struct{ urls, remotes map[string]string }

// remote returns the place of the branch's remote, else of origin, else of the
// only one, or "".
func remote(file []byte, branch string) string {
	c := parse(string(file))
	name := c.remotes[branch]
	if c.urls[name] == "" {
		name = "origin"
	}
	u := c.urls[name]
	if u == "" && len(c.urls) == 1 {
		for _, only := range c.urls {
			u = only
		}
	}
	return Place(u)
}

// Place returns host and path of a git URL, as "github.com/ana/shop", without
// user, password, query and ".git". It is "" of what is no URL, of paths of this
// machine, of remote helpers, and of what cannot be shown. [git-fetch(1), GIT URLS]
func Place(s string) string {
	var host, path string
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		u, err := url.Parse(s)
		if err != nil || strings.ContainsRune(scheme, ':') || u.Scheme == "file" {
			return ""
		}
		host, path = u.Host, u.EscapedPath()
	} else {
		var ok bool
		if host, path, ok = strings.Cut(s, ":"); !ok || strings.ContainsRune(host, '/') || strings.HasPrefix(path, ":") {
			return ""
		}
		host = host[strings.LastIndexByte(host, '@')+1:]
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	place := host + "/" + path
	if host == "" || path == "" || !shown(place) || strings.ContainsAny(place, "@ ") { // an @ may end a password
		return ""
	}
	return place
}

// parse reads a configuration as git does, as far as it matters here: sections,
// comments, quotes, escapes and lines that go on. What is not understood is left out.
// Of a key that is there several times the first URL and the last remote count.
func parse(file string) config {
	c := config{map[string]string{}, map[string]string{}}
	var section, name string
	for file != "" {
		var line string
		line, file, _ = strings.Cut(file, "\n")
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section, name, line = header(line)
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(key, "#;") {
			continue
		}
		for strings.HasSuffix(value, `\`) && !strings.HasSuffix(value, `\\`) && file != "" { // it goes on
			var more string
			more, file, _ = strings.Cut(file, "\n")
			value = strings.TrimSuffix(value, `\`) + strings.TrimRight(more, "\r")
		}
		key = strings.ToLower(strings.TrimSpace(key))
		switch {
		case section == "remote" && key == "url" && c.urls[name] == "":
			c.urls[name] = unquoted(value)
		case section == "branch" && key == "remote":
			c.remotes[name] = unquoted(value)
		}
	}
	return c
}

// header reads `[section "name"] rest`.
func header(line string) (section, name, rest string) {
	section, rest, ok := strings.Cut(line[1:], `"`)
	if !ok {
		return "", "", ""
	}
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && i+1 < len(rest):
			i++
		case rest[i] == '"':
			after, closed := strings.CutPrefix(strings.TrimSpace(rest[i+1:]), "]")
			if !closed {
				return "", "", ""
			}
			return strings.ToLower(strings.TrimSpace(section)), b.String(), after
		}
		b.WriteByte(rest[i])
	}
	return "", "", ""
}

// unquoted is a value without quotes, escapes and a comment after it.
func unquoted(s string) string {
	var b strings.Builder
	quoted := false
	s = strings.TrimSpace(s)
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case ch == '"':
			quoted = !quoted
		case (ch == '#' || ch == ';') && !quoted:
			return strings.TrimSpace(b.String())
		default:
			b.WriteByte(ch)
		}
	}
	return b.String()
}
