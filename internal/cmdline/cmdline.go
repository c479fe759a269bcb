// Package cmdline runs a tree of cobra commands with one rule for what is typed
// wrong: an unknown word, a flag or an argument that a command does not take. That
// is an error with exit code [CodeUsage], which names the words that may have been
// meant and the help that lists them:
//
//	$ kr daemon strat
//	kr: error: there is no command "strat" of kr daemon
//	    hint:  did you mean this? kr daemon start
//	    hint:  see: kr daemon --help
//
// cobra itself gives a command that only has others under it to whoever types any
// word after it: help, and exit code 0.
package cmdline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kryptonite/internal/term"
)

// CodeUsage is the exit code of wrong usage.
const CodeUsage = 2

const near = 2 // letters by which a word may differ from one that was meant

// Usage is err as wrong usage of c.
func Usage(c *cobra.Command, err error) *term.Problem {
	return &term.Problem{Err: err, Code: CodeUsage, Hints: []string{"see: " + c.CommandPath() + " --help"}}
}

// Run runs the command of root that args name, and returns its error. What comes
// before the command itself runs is wrong usage of it.
func Run(ctx context.Context, root *cobra.Command, args []string) error {
	root.Args = cobra.ArbitraryArgs // what is left of them is for wrongWord
	root.SetArgs(args)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Run, c.RunE = nil, help
		}
	}
	if err := wrongWord(root.Find(args)); err != nil {
		return err
	}
	began := false
	watch(root, &began)
	c, err := root.ExecuteContextC(ctx)
	if err == nil || began || errors.As(err, new(*term.Problem)) {
		return err
	}
	return Usage(c, err)
}

// wrongWord is the error of a word after a command that only has others under it.
// Its arguments are what Find returns.
func wrongWord(c *cobra.Command, rest []string, err error) error {
	if err != nil || c.Runnable() || !c.HasSubCommands() {
		return nil // cobra, or the command, says what is wrong
	}
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	if c.ParseFlags(rest) != nil || c.Flags().NArg() == 0 || strings.HasPrefix(c.Flags().Arg(0), cobra.ShellCompRequestCmd) {
		return nil // or it is what shells ask, which cobra adds when it runs
	}
	word := c.Flags().Arg(0)
	p := Usage(c, fmt.Errorf("there is no command %.80q of %s", word, c.CommandPath()))
	c.SuggestionsMinimumDistance = near
	for i, s := range c.SuggestionsFor(word) {
		p.Hints = slices.Insert(p.Hints, i, "did you mean this? "+c.CommandPath()+" "+s)
	}
	return p
}

// help is cobra's help command, which takes unknown words for the root.
func help(c *cobra.Command, args []string) error {
	about, rest, err := c.Root().Find(args)
	if err := errors.Join(err, wrongWord(about, rest, err)); err != nil {
		return err
	}
	about.InitDefaultHelpFlag()
	about.InitDefaultVersionFlag()
	return about.Help()
}

// watch notes when one of the commands begins to run.
func watch(c *cobra.Command, began *bool) {
	switch run, runE := c.Run, c.RunE; {
	case runE != nil:
		c.RunE = func(c *cobra.Command, args []string) error { *began = true; return runE(c, args) }
	case run != nil:
		c.Run = func(c *cobra.Command, args []string) { *began = true; run(c, args) }
	}
	for _, sub := range c.Commands() {
		watch(sub, began)
	}
}
