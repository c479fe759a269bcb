package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/term"
)

// completionPatience bounds how long a Tab waits for krd.
const completionPatience = 200 * time.Millisecond

// completePhones completes the name of a paired phone, or its id where no
// terminal shows the name as it is. It fails in silence.
func (e *env) completePhones(c *cobra.Command, args []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	st, err := e.krd.Status(ctx)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, p := range st.Phones {
		if term.CleanMax(p.Name, 64) == p.Name {
			out = append(out, p.Name)
		} else {
			out = append(out, p.ID)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings completes the name of a setting.
func completeSettings(_ *cobra.Command, args []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) == 0 {
		for _, s := range settings() {
			out = append(out, cobra.CompletionWithDesc(s.name, s.help))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
