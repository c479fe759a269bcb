package phoneterm

import (
	"github.com/spf13/cobra"
)

func keyCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print this phone's public keys", Args: cobra.NoArgs,
		Long: "Print this phone's public keys, each as one line for authorized_keys.",
		RunE: func(*cobra.Command, []string) error {
			o, err := open()
			if err != nil {
				return err
			}
			defer o.close()
			for _, k := range o.keys.Keys() {
				e.io.Printf("%s\n", authorizedKey(k))
			}
			return nil
		},
	}
}
