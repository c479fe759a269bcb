package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kryptonite/internal/sealbox"
)

// QRVersion is the version byte of the QR payload.
const QRVersion = 1

// maxLink bounds a link in bytes; a host name has at most 253.
const maxLink = 1024

// ErrLink is returned for text that is not a pairing link.
var ErrLink = errors.New("wire: not a pairing link")

// LinkVersionError is returned for a link made by a newer kr.
type LinkVersionError struct{ Version byte }

func (e *LinkVersionError) Error() string {
	return fmt.Sprintf("wire: pairing link is of version %d, this program knows version %d", e.Version, QRVersion)
}

// Invitation is what the QR code of "kr pair" says. It is written as
//
//	HTTPS://APP-HOST[:PORT]/#BASE32[/R:RELAY-HOST[:PORT]]
//	HTTPS://APP-HOST[:PORT]/#BASE32/S:REGION:ACCOUNT[:PREFIX]
//	HTTPS://APP-HOST[:PORT]/#BASE32/B
//
// in capitals only, so that QR codes stay small; BASE32 is version(1) ‖
// c_pub(32) ‖ rendezvous address(16), unpadded. [kr-protocol] §3.1.
type Invitation struct {
	App        string            // origin of the phone app, "https://host[:port]"
	Relay      string            // origin of the relay; the app's when the link names none; "" when they meet elsewhere
	SQS        Meeting           // zero when they meet elsewhere
	Bluetooth  bool              // they meet by Bluetooth LE
	CPub       sealbox.PublicKey // the computer's session key of this pairing
	Rendezvous [16]byte          // mailbox where the computer waits for the phone; zeros without a relay
}

var b32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// Payload is everything after the '#', in capitals.
func (i Invitation) Payload() string {
	raw := append([]byte{QRVersion}, i.CPub[:]...)
	raw = append(raw, i.Rendezvous[:]...)
	p := b32.EncodeToString(raw)
	switch {
	case i.SQS != Meeting{}:
		p += "/S:" + strings.ToUpper(i.SQS.text())
	case i.Bluetooth:
		p += "/B"
	case i.Relay != i.App:
		_, host, _ := strings.Cut(i.Relay, "://")
		p += "/R:" + strings.ToUpper(host)
	}
	return p
}

// PayloadHash is SHA-256 of the payload, as the pairing words use it.
func (i Invitation) PayloadHash() [32]byte { return sha256.Sum256([]byte(i.Payload())) }

// Link returns the link, which is also the text of the QR code.
func (i Invitation) Link() string { return strings.ToUpper(i.App) + "/#" + i.Payload() }

// ParseLink reads a link in any case. It returns ErrLink or a
// *LinkVersionError; neither repeats the text, which is not for every eye.
func ParseLink(s string) (Invitation, error) {
	var inv Invitation
	s = strings.TrimSpace(s)
	if len(s) > maxLink {
		return inv, ErrLink
	}
	head, payload, ok := strings.Cut(strings.ToUpper(s), "#")
	if !ok || !asciiOnly(s) {
		return inv, ErrLink
	}
	if inv.App, ok = parseOrigin(strings.TrimSuffix(head, "/")); !ok {
		return inv, ErrLink
	}
	code, rest, hasRest := strings.Cut(payload, "/")
	raw, err := b32.DecodeString(code)
	if err != nil || len(raw) == 0 || b32.EncodeToString(raw) != code {
		return Invitation{}, ErrLink
	}
	if raw[0] != QRVersion {
		return Invitation{}, &LinkVersionError{raw[0]}
	}
	if len(raw) != 1+sealbox.KeySize+16 {
		return Invitation{}, ErrLink
	}
	inv.CPub = sealbox.PublicKey(raw[1:33])
	inv.Rendezvous = [16]byte(raw[33:])
	inv.Relay = inv.App
	if hasRest && !inv.place(rest) {
		return Invitation{}, ErrLink
	}
	return inv, nil
}

// place reads where they meet, what stands behind the slash.
func (i *Invitation) place(s string) (ok bool) {
	if host, isRelay := strings.CutPrefix(s, "R:"); isRelay {
		scheme, _, _ := strings.Cut(i.App, "://")
		i.Relay, ok = parseOrigin(strings.ToUpper(scheme) + "://" + host)
		return ok && i.Relay != i.App
	}
	i.Relay = ""
	if s == "B" {
		i.Bluetooth = true
		return i.Rendezvous == [16]byte{}
	}
	text, isSQS := strings.CutPrefix(s, "S:")
	i.SQS, ok = parseMeeting(strings.ToLower(text))
	return isSQS && ok && i.Rendezvous == [16]byte{}
}

// parseOrigin reads "HTTPS://HOST[:PORT]" and returns it in lower case. HTTP
// is for this machine only. What it lets through, package mailbox takes for an
// origin, too.
func parseOrigin(s string) (string, bool) {
	scheme, host, ok := strings.Cut(s, "://")
	name, port, hasPort := strings.Cut(host, ":")
	if !ok || !validHost(name) || hasPort && !validPort(port) {
		return "", false
	}
	switch scheme {
	case "HTTPS":
	case "HTTP":
		if name != "LOCALHOST" && name != "127.0.0.1" {
			return "", false
		}
	default:
		return "", false
	}
	return strings.ToLower(s), true
}

func validHost(name string) bool {
	if len(name) > 253 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s == strconv.FormatUint(n, 10)
}

func asciiOnly(s string) bool {
	return !bytes.ContainsFunc([]byte(s), func(r rune) bool { return r > 0x7e || r < 0x20 })
}
