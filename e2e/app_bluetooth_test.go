package e2e

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/bluetoothemulation"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/transport/ble/bluez/bluetest"
	"kryptonite/internal/wire"
)

// carrier takes frames between a browser and services of krd's: the browser has a
// radio of its own, and so has krd, by BlueZ.
type carrier struct {
	t       *testing.T
	air     *Air
	central *bluez.Central
	ctx     context.Context
	work    sync.WaitGroup
}

func newCarrier(t *testing.T, air *Air) *carrier {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &carrier{t: t, air: air, ctx: ctx, central: bluez.NewCentral(bluez.Options{Adapter: "hci1", Log: slog.New(slog.DiscardHandler)})}
	t.Cleanup(func() {
		stop()
		c.work.Wait()
	})
	return c
}

func (c *carrier) offer(service sealbox.ServiceUUID) {
	c.t.Helper()
	page, krd := ble.New(), ble.New()
	must(c.t, c.air.Offer(service, page))
	c.work.Go(func() { _ = c.central.Serve(c.ctx, service, krd) })
	carry := func(from, to *ble.Link) {
		_ = from.Receive(c.ctx, func(frame []byte) error { return to.Send(c.ctx, frame) })
	}
	c.work.Go(func() {
		defer krd.Hold()()
		carry(krd, page)
	})
	c.work.Go(func() { carry(page, krd) })
}

// TestAppBluetooth: the page pairs by Bluetooth alone, logs in without its server, also
// after the computer was away, and its own adapter off, and parts. It says so when
// nothing was chosen, and when there is no adapter.
func TestAppBluetooth(t *testing.T) {
	h, bus := newNearHouse(t)
	t.Setenv(bluetest.Variable, bus.Address)
	bus.BlueZ(t, bluetest.Options{MTU: 185}, "hci0", "hci1")
	h.AppOnly = true
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "app", localhost(h))
	must(t, err)
	must(t, h.StartKrd())
	page, err := newBrowser(t, newProfile(t), "enable-features=WebBluetooth", "enable-blink-features=WebBluetooth").Page()
	must(t, err)
	_, err = page.Authenticator(true)
	must(t, err)
	air, err := NewAir(page)
	must(t, err)
	t.Cleanup(func() {
		if err := air.Close(); err != nil {
			t.Error(err)
		}
	})
	c := newCarrier(t, air)

	offer, err := h.OfferPairing()
	must(t, err)
	inv, err := wire.ParseLink(offer.Link)
	must(t, err)
	met := sealbox.RendezvousService(inv.CPub)
	c.offer(met)
	p := openApp(t, h, page, offer.Link)
	p.tap(wrapped[0])
	p.sees("Pair with this computer?")
	p.shot("pair-bluetooth")
	must(t, air.Adapter(bluetoothemulation.CentralStateAbsent))
	p.tap("Pair")
	p.sees("Bluetooth is off on this device, or it has none.")
	must(t, air.Adapter(bluetoothemulation.CentralStatePoweredOn))
	air.Away(true)
	p.tap("Connect by Bluetooth")
	p.sees("Nothing was chosen.")
	p.shot("pair-bluetooth-nothing")
	air.Away(false)
	c.offer(ownService(t, p, inv.CPub))
	p.tap("Connect by Bluetooth")
	p.agrees(offer)

	must(t, h.StartSshd())
	_, err = h.Relay.Stop(syscall.SIGKILL) // no internet
	must(t, err)
	allowed := func() {
		t.Helper()
		done := p.login()
		p.tap("Allow once")
		must(t, <-done)
	}
	must(t, air.Withdraw(met))
	allowed()
	p.toComputer()
	p.channel("Bluetooth", "connected")
	p.shot("computer-bluetooth")

	must(t, air.Leave())
	p.channel("Bluetooth", "no connection")
	must(t, air.Return())
	p.channel("Bluetooth", "connected")
	allowed()

	must(t, air.Adapter(bluetoothemulation.CentralStatePoweredOff))
	p.sees("When Bluetooth is on")
	must(t, air.Adapter(bluetoothemulation.CentralStatePoweredOn))
	p.channel("Bluetooth", "connected")
	allowed()

	p.tap("End Bluetooth")
	must(t, air.Adapter(bluetoothemulation.CentralStateAbsent))
	p.tap("Connect by Bluetooth")
	p.sees("Bluetooth is off on this device, or it has none.")
	must(t, air.Adapter(bluetoothemulation.CentralStatePoweredOn))
	p.tap("Connect by Bluetooth")
	p.channel("Bluetooth", "connected")
	allowed()
	p.tap("Unpair")
	p.tapIn("dialog", "Unpair")
	until(t, "the computer knows that it is unpaired", func() bool { return len(h.paired(t)) == 0 })
	p.quiet()
}

// ownService is that of the pairing under way, as the page asks for it.
func ownService(t *testing.T, p *tab, c sealbox.PublicKey) sealbox.ServiceUUID {
	t.Helper()
	must(t, p.Await(`window.asked`))
	asked, err := Eval[[]string](p.Page, `window.asked`)
	must(t, err)
	if len(asked) != 2 || asked[1] != sealbox.RendezvousService(c).String() {
		t.Fatalf("the page asked for %q", asked)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(asked[0], "-", ""))
	must(t, err)
	return sealbox.ServiceUUID(b)
}
