package sshname

import (
	"errors"
	"strings"
)

// valued are the options of ssh that take a value; all others are flags. -P is
// a flag in some versions and takes a value in others: what comes after it is
// passed on like all the rest.
const valued = "BbcDEeFIiJLlmOopQRSWw"

var (
	errLogFile = errors.New("ssh writes a log file: it would be written again")
	errPipe    = errors.New("ssh's configuration came from a pipe: it cannot be read again")
)

// checkArgs refuses arguments that must not, or cannot, be used a second time.
func checkArgs(args []string) (err error) {
	options(args, func(letter byte, value string) {
		switch {
		case letter == 'E':
			err = errLogFile
		case letter == 'F' && (strings.HasPrefix(value, "/dev/") && value != "/dev/null" || strings.HasPrefix(value, "/proc/")):
			err = errPipe
		}
	})
	return err
}

// options calls f for each option as ssh's main reads them: getopt(3) up to
// the host, and once more after it.
func options(args []string, f func(letter byte, value string)) {
	for range 2 {
		for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
			arg := args[0]
			args = args[1:]
			if arg == "--" {
				return
			}
			args = bundle(arg[1:], args, f)
		}
		if len(args) > 0 {
			args = args[1:] // the host, then the command
		}
	}
}

// bundle reads letters that share one dash and returns what is left of args.
func bundle(letters string, args []string, f func(letter byte, value string)) []string {
	for i := range len(letters) {
		c := letters[i]
		if strings.IndexByte(valued, c) < 0 {
			f(c, "")
			continue
		}
		value := letters[i+1:]
		if value == "" && len(args) > 0 {
			value, args = args[0], args[1:]
		}
		f(c, value)
		break
	}
	return args
}
