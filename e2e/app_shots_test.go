package e2e

import (
	"path/filepath"

	"github.com/chromedp/cdproto/emulation"
)

// shot takes pictures of the app in both themes, with GALLERY=DIR.
func (p *tab) shot(name string) {
	p.t.Helper()
	if galleryDir == "" {
		return
	}
	for _, theme := range []string{"light", "dark"} {
		_, err := Command(p.Page, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		must(p.t, err)
		must(p.t, p.Screenshot(filepath.Join(galleryDir, "app-"+name+"-"+theme+".png")))
	}
}
