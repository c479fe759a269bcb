package cmdline

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"kryptonite/internal/term"
)

// tree is a program with commands of each kind. What runs is in ran.
func tree(out *bytes.Buffer, ran *string) *cobra.Command {
	root := &cobra.Command{Use: "kr", SilenceUsage: true, SilenceErrors: true, Version: "1"}
	root.SetOut(out)
	root.SetErr(out)
	root.PersistentFlags().String("file", "", "")
	leaf := func(use string, args cobra.PositionalArgs) *cobra.Command {
		return &cobra.Command{Use: use, Args: args, RunE: func(c *cobra.Command, args []string) error {
			*ran = c.CommandPath() + " " + strings.Join(args, " ")
			return nil
		}}
	}
	daemon := &cobra.Command{Use: "daemon", Args: cobra.NoArgs}
	daemon.AddCommand(leaf("start", cobra.NoArgs), leaf("stop", cobra.NoArgs), leaf("logs", nil))
	status := leaf("status", cobra.ExactArgs(1))
	status.Flags().Bool("a", false, "")
	status.Flags().Bool("b", false, "")
	status.Flags().Int("must", 0, "")
	status.MarkFlagsMutuallyExclusive("a", "b")
	need := leaf("need", nil)
	need.Flags().Int("must", 0, "")
	need.MarkFlagRequired("must")
	fails := &cobra.Command{Use: "fails", RunE: func(*cobra.Command, []string) error { return errors.New("no") }}
	hidden := leaf("statut", nil)
	hidden.Hidden = true
	plain := &cobra.Command{Use: "plain", Run: func(*cobra.Command, []string) { *ran = "plain" }}
	topic := &cobra.Command{Use: "topic", Short: "a topic", Long: "what a topic says"}
	root.AddCommand(daemon, status, need, fails, hidden, plain, topic)
	return root
}

func TestRun(t *testing.T) {
	for args, c := range map[string]struct {
		code int
		say  string // error, or output
		ran  string
		hint string // the first
	}{
		"":                           {0, "Available Commands", "", ""},
		"--help":                     {0, "Available Commands", "", ""},
		"--version":                  {0, "kr version 1", "", ""},
		"daemon":                     {0, "kr daemon [command]", "", ""},
		"daemon --help":              {0, "kr daemon [command]", "", ""},
		"topic":                      {0, "what a topic says", "", ""},
		"help topic":                 {0, "what a topic says", "", ""},
		"help":                       {0, "Available Commands", "", ""},
		"help daemon":                {0, "kr daemon [command]", "", ""},
		"help daemon start":          {0, "kr daemon start", "", ""},
		"daemon start":               {0, "", "kr daemon start ", ""},
		"--file x daemon start":      {0, "", "kr daemon start ", ""},
		"status x --a":               {0, "", "kr status x", ""},
		"plain":                      {0, "", "plain", ""},
		"__complete da":              {0, "daemon", "", ""},
		"__completeNoDesc daemon st": {0, "start\nstop", "", ""},
		"completion bash":            {0, "__start_kr", "", ""},

		"fails":                 {1, "no", "", ""},
		"statsu":                {2, `there is no command "statsu" of kr`, "", "did you mean this? kr status"},
		"daemon strat":          {2, `there is no command "strat" of kr daemon`, "", "did you mean this? kr daemon start"},
		"--file x daemon strat": {2, `there is no command "strat" of kr daemon`, "", "did you mean this? kr daemon start"},
		"daemon --file x strat": {2, `there is no command "strat" of kr daemon`, "", "did you mean this? kr daemon start"},
		"daemon strat --help":   {2, `there is no command "strat" of kr daemon`, "", "did you mean this? kr daemon start"},
		"daemon xyzzy":          {2, `there is no command "xyzzy" of kr daemon`, "", "see: kr daemon --help"},
		"help daemon strat":     {2, `there is no command "strat" of kr daemon`, "", "did you mean this? kr daemon start"},
		"help statsu":           {2, `there is no command "statsu" of kr`, "", "did you mean this? kr status"},
		"completion bsh":        {2, `there is no command "bsh" of kr completion`, "", "did you mean this? kr completion bash"},
		"completion bash x":     {2, "unknown command", "", "see: kr completion bash --help"},
		"daemon --nonsense":     {2, "unknown flag: --nonsense", "", "see: kr daemon --help"},
		"daemon --nonsense x":   {2, "unknown flag: --nonsense", "", "see: kr daemon --help"},
		"--nonsense":            {2, "unknown flag: --nonsense", "", "see: kr --help"},
		"daemon start x":        {2, "unknown command", "", "see: kr daemon start --help"},
		"status":                {2, "accepts 1 arg(s), received 0", "", "see: kr status --help"},
		"status x --a --b":      {2, "[a b]", "", "see: kr status --help"},
		"status x --must many":  {2, "invalid argument", "", "see: kr status --help"},
		"need":                  {2, "required flag", "", "see: kr need --help"},
	} {
		var out bytes.Buffer
		ran := ""
		err := Run(t.Context(), tree(&out, &ran), strings.Fields(args))
		say := out.String()
		if err != nil {
			say = err.Error()
		}
		hint, p := "", new(term.Problem)
		if errors.As(err, &p) {
			hint = p.Hints[0]
		}
		if term.ExitCode(err) != c.code || !strings.Contains(say, c.say) || ran != c.ran || hint != c.hint {
			t.Errorf("kr %s: exit %d, %q, ran %q, hint %q", args, term.ExitCode(err), say, ran, hint)
		}
	}
}
