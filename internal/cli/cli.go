// Package cli is kr, the command line: it pairs phones, shows what is, manages
// krd and explains. It talks to krd through package control only. Commands are
// constructors, one file a family; what a command does is a run function that
// knows no flags.
package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"kryptonite/internal/cmdline"
	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/statedir"
	"kryptonite/internal/subprocess"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// Exit codes. They are stable; "kr help exit-codes" lists them.
const (
	codeUsage     = cmdline.CodeUsage
	codeNotPaired = 3
	codeDeclined  = 4
	codeNoAnswer  = 5
)

const exitCodesText = `  0    done
  1    failed
  2    wrong usage
  3    not paired
  4    declined on the phone, or it has locked this computer
  5    the phone, or a channel to it, did not answer
  6    krd is not running
  7    host key does not match
  130  interrupted
`

// env is what every command needs.
type env struct {
	io   *term.IO
	home string
	krd  *control.Client

	release func() (map[string]string, error) // see Main
}

// Main runs kr and returns its exit code. release returns the hashes of the
// phone app that this kr was built with: SHA-256, in hex, by path; or none.
func Main(ctx context.Context, args []string, io *term.IO, release func() (map[string]string, error)) int {
	if err := subprocess.FixPath(); err != nil {
		return io.Fail(err)
	}
	home, err := statedir.Home(control.HomeVariable, control.HomeName)
	if err != nil {
		return io.Fail(err)
	}
	e := &env{io: io, home: home, krd: control.NewClient(filepath.Join(home, control.Socket), peer.SameUser), release: release}
	root := &cobra.Command{
		Use:   "kr",
		Short: "Your SSH key lives on your phone",
		Long: `Your SSH key lives on your phone. ssh and git work as always; your phone shows who
wants to log in where, you tap Allow, and the login goes on.`,
		Example: `  $ kr config set relay https://relay.example.com
  $ kr setup
  $ kr pair
  $ kr status`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDescriptions: false},
	}
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.AddCommand(setupCmd(e), uninstallCmd(e), pairCmd(e), unpairCmd(e), statusCmd(e), meCmd(e), keyCmd(e), logCmd(e), traceCmd(e), checkCmd(e), daemonCmd(e), configCmd(e), channelCmd(e), versionCmd(e),
		&cobra.Command{Use: "exit-codes", Short: "What kr's exit codes mean", Long: "Exit codes of kr:\n\n" + exitCodesText})
	root.AddCommand(formerWords(e)...)
	return io.Fail(explain(cmdline.Run(ctx, root, args)))
}

// explain adds exit code and next step to krd's errors.
func explain(err error) error {
	e := new(control.Error)
	if !errors.As(err, &e) {
		return withDiskTrouble(err)
	}
	p := &term.Problem{Err: err}
	switch e.Code {
	case control.CodeDeclined, control.CodeCommit:
		p.Code, p.Hints = codeDeclined, []string{"to try again: kr pair"}
	case control.CodeNoAnswer:
		p.Code, p.Hints = codeNoAnswer, []string{"to try again: kr pair"}
	case control.CodeChannel:
		p.Code, p.Hints = codeNoAnswer, []string{"is the relay up and its address right? kr config list"}
	case control.CodeSQS:
		p.Code, p.Hints = codeNoAnswer, []string{"what the IAM user needs: kr channel policy sqs", "to pair without it: kr pair --channel relay"}
	case control.CodeSNS:
		p.Code, p.Hints = codeUsage, []string{"see: kr channel add --help"}
	case control.CodeNoSuch, control.CodeNotPaired:
		p.Code, p.Hints = codeNotPaired, []string{"list the phones: kr status"}
	case control.CodeBusy:
		p.Hints = []string{"finish it there, or end it with Ctrl-C"}
	case control.CodeNewer:
		p.Hints = []string{"install the newer version again, then: kr daemon restart", "which one krd is: kr status"}
	case control.CodeBadRequest:
		p.Code = codeUsage
	}
	return p
}

func noArgs(c *cobra.Command, args []string) error { return cobra.NoArgs(c, args) }

func versionCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Run: func(*cobra.Command, []string) { e.io.Printf("kr %s\n", version.String()) },
	}
}

// printJSON prints v for programs.
func (e *env) printJSON(v any) error {
	b, err := term.JSON(v, "  ")
	if err != nil {
		return err
	}
	e.io.Printf("%s\n", b)
	return nil
}

// config is what a person set. Krd does not read it; Agent comes to it as a
// flag.
type config struct {
	Relay string `json:"relay,omitempty"` // origin
	App   string `json:"app,omitempty"`   // origin; "" means the relay's
	Name  string `json:"name,omitempty"`  // how phones list this computer
	Agent string `json:"agent,omitempty"` // absolute path or "none"; "" means SSH_AUTH_SOCK

	Environment string `json:"environment,omitempty"` // "no": programs of the desktop do not get SSH_AUTH_SOCK from kr setup

	SQS *control.SQS `json:"sqs,omitempty"` // nil: new pairings have no queues

	Bluetooth bool `json:"bluetooth,omitempty"` // new pairings can use it
}

const (
	configFile    = "config.json"
	configVersion = 1

	noAgent       = "none"
	noEnvironment = "no"
)

func (e *env) dir() (*statedir.Dir, error) { return statedir.Open(e.home) }

// noKey says why there is no key: nobody is paired, or who is shows none.
func noKey(st control.Status) error {
	err := errors.New("none of the paired phones shows this computer a key")
	switch len(st.Phones) {
	case 0:
		return notPaired()
	case 1:
		err = fmt.Errorf("%s shows this computer no key", term.CleanMax(st.Phones[0].Name, 64))
	}
	return &term.Problem{Err: err, Hints: []string{"show it one on the phone, on the key's page; or: kr-phone key allow NAME COMPUTER"}}
}

func notPaired() error {
	return &term.Problem{Err: fmt.Errorf("no phone is paired with this computer"), Code: codeNotPaired, Hints: []string{"run: kr pair"}}
}
