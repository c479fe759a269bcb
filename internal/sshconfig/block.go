// Package sshconfig puts one marked block into a person's ssh_config, and takes
// it out again.
//
//	# BEGIN kr setup: ssh asks krd for keys. "kr uninstall" removes these lines
//	IdentityAgent "/home/ana/.kr/agent.sock"
//	# END kr setup
//
// The block stands at the top, as ssh takes the first value that it finds, and
// outside of any Host. Every other byte of the file stays: Remove after Put is
// what was there. Lines that a person wrote between the two markers are theirs
// and are kept. Block does no I/O; File reads and replaces the file.
//
// References: ssh_config(5).
package sshconfig

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

const (
	begin = `# BEGIN kr setup: ssh asks krd for keys. "kr uninstall" removes these lines`
	end   = `# END kr setup`

	beginMark = "# BEGIN kr setup" // what follows on that line may change
)

// Block is what is put into the file.
type Block struct {
	Home   string   // krd's state directory, absolute; the lines of the block name files in it
	Socket string   // of krd's agent, a name in Home
	Keys   []string // public keys, names in Home; usually none, see NeedsKeys
	Own    []string // keys that ssh would use by itself, names in ~/.ssh: it does not once Keys are named
}

// MarkerError is a marker that stands alone: where the block ends, or begins,
// is not known.
type MarkerError struct {
	Line  int // from 1
	Begin bool
}

func (e *MarkerError) Error() string {
	if e.Begin {
		return fmt.Sprintf("line %d begins the block of kr setup, and no line ends it", e.Line)
	}
	return fmt.Sprintf("line %d ends a block of kr setup that no line begins", e.Line)
}

// Hint is the next step for people.
func (e *MarkerError) Hint() []string {
	return []string{fmt.Sprintf("look at line %d in an editor, remove what is left of the block, and try again; or: kr check --fix", e.Line)}
}

// Text is the block's lines, as they are for a file whose lines end with "\n".
func (b Block) Text() string { return strings.Join(b.lines(), "\n") + "\n" }

func (b Block) lines() []string {
	out := []string{begin, "IdentityAgent " + b.quoted(b.Socket)}
	for _, k := range b.Keys {
		out = append(out, "IdentityFile "+b.quoted(k))
	}
	for _, k := range b.Own {
		out = append(out, ownFile+k)
	}
	return append(out, end)
}

// ownFile is how no person writes ~/.ssh/.
const ownFile = "IdentityFile %d/.ssh/"

// quoted is the path of a file in Home as ssh_config takes it; % begins a token.
func (b Block) quoted(name string) string {
	return `"` + strings.ReplaceAll(filepath.Join(b.Home, name), "%", "%%") + `"`
}

// Check returns an error when ssh_config cannot carry the path of Home.
func (b Block) Check() error {
	if !filepath.IsAbs(b.Home) || strings.ContainsAny(b.Home, "\"\\\r\n\x00") || strings.Contains(b.Home, "${") {
		return fmt.Errorf("ssh's configuration cannot carry the path %q: use another one (KR_HOME)", b.Home)
	}
	return nil
}

// Put returns config with the block at its top, and nowhere else. Its lines end
// as those of config do. Putting it twice is putting it once.
func (b Block) Put(config []byte) ([]byte, error) {
	rest, err := b.Remove(config)
	if err != nil {
		return nil, err
	}
	eol := "\n"
	if i := bytes.IndexByte(rest, '\n'); i > 0 && rest[i-1] == '\r' {
		eol = "\r\n"
	}
	return append([]byte(strings.Join(b.lines(), eol)+eol), rest...), nil
}

// Remove returns config without the block: without the two markers, and without
// those lines between them that are the block's own. It returns a *MarkerError
// when one marker is missing.
func (b Block) Remove(config []byte) ([]byte, error) {
	rest := make([]byte, 0, len(config))
	opened := 0 // the line of the marker, or none
	n := 0
	for line := range bytes.Lines(config) {
		n++
		switch text := strings.TrimSpace(string(line)); {
		case strings.HasPrefix(text, beginMark):
			if opened > 0 {
				return nil, &MarkerError{opened, true}
			}
			opened = n
		case text == end:
			if opened == 0 {
				return nil, &MarkerError{n, false}
			}
			opened = 0
		case opened > 0 && b.wrote(text):
		default:
			rest = append(rest, line...)
		}
	}
	if opened > 0 {
		return nil, &MarkerError{opened, true}
	}
	return rest, nil
}

// Named returns the keys that the block in config names, as Keys and Own have
// them. Of a config without a whole block there are none.
func (b Block) Named(config []byte) (keys, own []string) {
	if _, err := b.Remove(config); err != nil {
		return nil, nil
	}
	inHome := "IdentityFile " + strings.TrimSuffix(b.quoted(""), `"`) + "/"
	inside := false
	for line := range bytes.Lines(config) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, beginMark) || text == end {
			inside = text != end
		}
		if !inside {
			continue
		}
		if name, ok := strings.CutPrefix(text, inHome); ok {
			keys = append(keys, strings.ReplaceAll(strings.TrimSuffix(name, `"`), "%%", "%"))
		} else if name, ok := strings.CutPrefix(text, ownFile); ok {
			own = append(own, name)
		}
	}
	return keys, own
}

// Salvage is Remove for a config in which one marker is missing: as after an
// editor or a full disk cut the block. It takes out the markers, and beside each
// only those lines that are the block's own, up to the first that is not; the
// last line of the file may be the beginning of one.
func (b Block) Salvage(config []byte) []byte {
	var rest []byte
	var held [][]byte // own lines that stand before an end that may come
	inside := false   // after a begin
	release := func() {
		for _, l := range held {
			rest = append(rest, l...)
		}
		held = nil
	}
	for line := range bytes.Lines(config) {
		text := strings.TrimSpace(string(line))
		switch {
		case strings.HasPrefix(text, beginMark):
			release()
			inside = true
		case text == end:
			held, inside = nil, false
		case inside && (b.wrote(text) || b.began(line)):
		case b.wrote(text):
			held = append(held, line)
		default:
			inside = false
			release()
			rest = append(rest, line...)
		}
	}
	release()
	return rest
}

// began reports whether a line without its end is the beginning of one that Put
// writes.
func (b Block) began(line []byte) bool {
	if bytes.HasSuffix(line, []byte("\n")) {
		return false
	}
	for _, own := range b.lines() {
		if strings.HasPrefix(own, string(line)) {
			return true
		}
	}
	return false
}

// wrote reports whether a line between the markers is one that Put writes, now
// or with other keys.
func (b Block) wrote(line string) bool {
	inHome := strings.TrimSuffix(b.quoted(""), `"`) + "/"
	return strings.HasPrefix(line, "IdentityAgent "+inHome) || strings.HasPrefix(line, "IdentityFile "+inHome) || strings.HasPrefix(line, ownFile)
}
