package sshwire

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// AuthorizedKey is the line for authorized_keys, without a line end: type,
// base64, comment. Of comment only printable characters stay, so that it can
// neither end the line nor steer a terminal. It is "" if blob does not begin
// with the name of a type; the rest of blob is not looked at, so that keys of
// other packages' types can be written, too. [sshd(8)] AUTHORIZED_KEYS.
func AuthorizedKey(blob []byte, comment string) string {
	typ := typeOf(blob)
	if !isName(typ) {
		return ""
	}
	line := typ + " " + base64.StdEncoding.EncodeToString(blob)
	if comment = printable(comment); comment != "" {
		line += " " + comment
	}
	return line
}

// printable drops control and format characters, all spaces but U+0020, line
// and paragraph separators, and what is not UTF-8.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\uFFFD' || !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, s))
}
