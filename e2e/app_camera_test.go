package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"kryptonite/internal/term"
)

// film writes what a camera sees that is held at the code of a link: first
// nothing, then the code.
func film(t *testing.T, file, link string) {
	t.Helper()
	qr, err := term.NewQR(link)
	must(t, err)
	code := drawn(qr.Lines(), 6)
	var out bytes.Buffer
	for frame := range 30 {
		img := image.NewRGBA(image.Rect(0, 0, 640, 480)) // YCbCr 4:2:0 as JPEG
		draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{Y: 90}), image.Point{}, draw.Src)
		if frame >= 10 {
			draw.Draw(img, code.Bounds().Add(image.Pt(120+frame, 60)), code, image.Point{}, draw.Src)
		}
		must(t, jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}))
	}
	must(t, os.WriteFile(file, out.Bytes(), 0o600))
}

// TestAppCamera: the app reads the code of kr pair by the camera, pairs, and
// lets go of the camera.
func TestAppCamera(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	beginLocalhost(t, h)
	offer, err := h.OfferPairing()
	must(t, err)
	film(t, h.Path("camera.mjpeg"), offer.Link)
	page, err := newBrowser(t, newProfile(t), "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "use-file-for-fake-video-capture="+h.Path("camera.mjpeg")).Page()
	must(t, err)
	_, err = page.Authenticator(true)
	must(t, err)
	p := openApp(t, h, page, localhost(h))
	must(t, p.Await(`document.title === "Kryptonite"`))
	_, err = Eval[any](page, `globalThis.tracks = []; {
		const own = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
		navigator.mediaDevices.getUserMedia = async (c) => { const s = await own(c); tracks.push(...s.getTracks()); return s };
	} null`)
	must(t, err)
	p.sees("Make a protected key")
	p.shot("welcome")
	p.tap("Make a protected key")
	p.sees("Next: pair a computer")
	p.shot("home-empty")
	p.tap("Scan the code")
	must(t, p.Await(`document.querySelector("video")?.videoWidth > 0`))
	p.shot("scan")
	p.sees("Pair with this computer?")
	must(t, p.Await(`tracks.length === 1 && tracks[0].readyState === "ended"`))
	p.pair(offer)
	must(t, h.StartSshd())
	done := p.login()
	p.tap("Allow once")
	must(t, <-done)
	p.quiet()
}

// TestAppCameraRefused: without the camera the link can be pasted.
func TestAppCameraRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	beginLocalhost(t, h)
	b := newBrowser(t, newProfile(t), "use-fake-device-for-media-stream")
	page, err := b.Page()
	must(t, err)
	_, err = page.Authenticator(true)
	must(t, err)
	_, err = chromedp.CallBrowser(page.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "camera"}, Setting: browser.PermissionSettingDenied})
	must(t, err)
	p := openApp(t, h, page, localhost(h))
	p.tap("Make a protected key")
	p.sees("Next: pair a computer")
	must(t, p.Open(localhost(h)+"/#nonsense"))
	p.sees("This is no link to pair with")
	p.tap("Dismiss")
	p.tap("Scan the code")
	p.sees("The camera is not allowed: allow it in the browser's settings for this page, or paste the link")
	p.shot("camera-refused")
	p.tap("Dismiss")
	p.tap("I have a link")
	p.sees("Or paste the link that it prints")
	p.types("#link", "https://example.com/#nonsense")
	p.tap("Open the link")
	p.sees("This is no link to pair with")
	p.shot("link-wrong")
	p.tap("Dismiss")
	offer, err := h.OfferPairing()
	must(t, err)
	p.types("#link", " "+offer.Link+"\n")
	p.tap("Open the link")
	p.pair(offer)
	p.sees(h.Name)
	p.quiet()
}
