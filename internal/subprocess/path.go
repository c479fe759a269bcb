package subprocess

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// FixPath takes those entries out of this process's PATH that are relative: they
// name other programs in each directory, such as a repository that one stands in.
// [os/exec.LookPath] refuses them, unless GODEBUG says otherwise; what it starts
// would look there, and so would it in an empty PATH: where nothing is left, or none
// is set, it is that of the system. Call it before anything else runs.
func FixPath() error {
	entries := filepath.SplitList(os.Getenv("PATH"))
	fixed := slices.DeleteFunc(entries, func(dir string) bool { return !filepath.IsAbs(dir) })
	if len(fixed) == 0 {
		fixed = []string{"/usr/local/bin", "/usr/bin", "/bin"}
	}
	return os.Setenv("PATH", strings.Join(fixed, string(filepath.ListSeparator)))
}
