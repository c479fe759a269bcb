package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chromedp/cdproto/bluetoothemulation"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/deviceaccess"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/segment"
)

// nearby is the address of the one device that is near the browser.
const nearby = "09:09:09:09:09:09"

// Characteristics of the service, docs/protocol.md 5.9.
const (
	toComputer = "b27531e6-2f4a-4321-909c-3015e5869d77"
	toPhone    = "9b84207a-2edc-41f1-817d-98f27c7679fe"
)

// How operations are refused. [Bluetooth] Core, vol 3 part F, 3.4.1.1, and vol 1 part F, 1.3.
const (
	invalidHandle     = 0x01
	connectionTimeout = 0x08
)

// asReads makes notifications of reads: Chromium's emulation has no way to notify,
// but what is read arrives at a page by the same event. All else is Chromium's.
// The services that a page asks for are noted.
const asReads = `{
  const choose = Bluetooth.prototype.requestDevice;
  Bluetooth.prototype.requestDevice = function (options) {
    window.asked = options.filters.flatMap((f) => f.services);
    return choose.call(this, options);
  };
  const proto = BluetoothRemoteGATTCharacteristic.prototype, start = proto.startNotifications;
  proto.startNotifications = async function () {
    await start.call(this);
    (async () => { for (;;) await this.readValue(); })().catch(() => undefined);
    return this;
  };
}`

// Air is what a browser's Bluetooth finds: one computer, whose services are Links.
// People choose it whenever they are asked, unless they look away.
type Air struct {
	page *Page
	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	ops  chan any

	answering sync.Mutex // one operation, or what takes services away: none is open then

	mu       sync.Mutex
	err      error
	offers   map[sealbox.ServiceUUID]*airService
	away     bool
	gone     bool                   // out of reach
	prompted deviceaccess.RequestID // the last one that was answered; it may be told again
}

// airService is one service, by Chromium's names.
type airService struct {
	id, rx, tx string
	link       *ble.Link
	port       *airPort       // of the connection there is
	subscribed bool           // by that, or one before that only the page has ended
	reads      sync.WaitGroup // that the browser waits for
}

// NewAir gives the page's browser a Bluetooth adapter; before the page is opened.
func NewAir(p *Page) (*Air, error) {
	a := &Air{page: p, offers: map[sealbox.ServiceUUID]*airService{}, ops: make(chan any, 1024)}
	a.ctx, a.end = context.WithCancel(p.ctx)
	if err := chromedp.ListenBrowser(a.ctx, func(ev any) {
		switch ev.(type) {
		case *bluetoothemulation.EventGattOperationReceived, *bluetoothemulation.EventCharacteristicOperationReceived:
			a.ops <- ev
		}
	}); err != nil {
		return nil, err
	}
	if err := chromedp.Listen(a.ctx, func(ev any) {
		if ev, ok := ev.(*deviceaccess.EventDeviceRequestPrompted); ok {
			a.ops <- ev
		}
	}); err != nil {
		return nil, err
	}
	a.work.Go(a.run)
	if _, err := Command(p, deviceaccess.Enable, cdp.Empty{}); err != nil {
		return nil, err
	}
	if _, err := Command(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: asReads}); err != nil {
		return nil, err
	}
	_, err := onAir(a, bluetoothemulation.Enable, bluetoothemulation.EnableParams{State: bluetoothemulation.CentralStatePoweredOn, LeSupported: true})
	return a, err
}

func onAir[P, R any](a *Air, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(a.ctx, patience)
	defer cancel()
	r, err := chromedp.CallBrowser(ctx, command, params)
	if err != nil {
		err = fmt.Errorf("%s: %w", command.Method, err)
	}
	return r, err
}

// Close waits until nothing is on its way any more, and says what went wrong.
func (a *Air) Close() error {
	a.end()
	a.work.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Away says that whoever is asked chooses nothing.
func (a *Air) Away(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = yes
}

// Offer makes the computer have a service.
func (a *Air) Offer(service sealbox.ServiceUUID, link *ble.Link) error {
	a.mu.Lock()
	first := len(a.offers) == 0
	a.mu.Unlock()
	if first {
		if _, err := onAir(a, bluetoothemulation.SimulatePreconnectedPeripheral, bluetoothemulation.SimulatePreconnectedPeripheralParams{
			Address: nearby, Name: "laptop", ManufacturerData: []*bluetoothemulation.ManufacturerData{}, KnownServiceUUIDs: []string{service.String()}}); err != nil {
			return err
		}
	}
	s, err := onAir(a, bluetoothemulation.AddService, bluetoothemulation.AddServiceParams{Address: nearby, ServiceUUID: service.String()})
	if err != nil {
		return err
	}
	add := func(uuid string, props bluetoothemulation.CharacteristicProperties) (string, error) {
		c, err := onAir(a, bluetoothemulation.AddCharacteristic, bluetoothemulation.AddCharacteristicParams{ServiceID: s.ServiceID, CharacteristicUUID: uuid, Properties: &props})
		return c.CharacteristicID, err
	}
	rx, err := add(toComputer, bluetoothemulation.CharacteristicProperties{Write: true})
	if err != nil {
		return err
	}
	tx, err := add(toPhone, bluetoothemulation.CharacteristicProperties{Notify: true, Read: true})
	if err != nil {
		return err
	}
	// Without it nobody can subscribe: the Client Characteristic Configuration.
	if _, err = onAir(a, bluetoothemulation.AddDescriptor, bluetoothemulation.AddDescriptorParams{CharacteristicID: tx, DescriptorUUID: "00002902-0000-1000-8000-00805f9b34fb"}); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offers[service] = &airService{id: s.ServiceID, rx: rx, tx: tx, link: link}
	return nil
}

// Withdraw takes a service away from the computer, once the page has said farewell.
func (a *Air) Withdraw(service sealbox.ServiceUUID) error {
	a.mu.Lock()
	s := a.offers[service]
	port := s.port
	a.mu.Unlock()
	if port != nil {
		select {
		case <-port.over:
		case <-time.After(patience):
			return errors.New("the page does not leave the service")
		}
	}
	a.answering.Lock()
	defer a.answering.Unlock()
	a.mu.Lock()
	delete(a.offers, service)
	a.mu.Unlock()
	a.quit(s)
	_, err := onAir(a, bluetoothemulation.RemoveService, bluetoothemulation.RemoveServiceParams{ServiceID: s.id})
	return err
}

// Leave takes the computer out of reach, with the connection.
func (a *Air) Leave() error {
	a.answering.Lock()
	defer a.answering.Unlock()
	a.mu.Lock()
	a.gone = true
	offers := slices.Collect(maps.Values(a.offers))
	a.mu.Unlock()
	a.quit(offers...)
	_, err := onAir(a, bluetoothemulation.SimulateGATTDisconnection, bluetoothemulation.SimulateGATTDisconnectionParams{Address: nearby})
	return err
}

// Return brings it back; Chromium has forgotten its services.
func (a *Air) Return() error {
	a.mu.Lock()
	offers := a.offers
	a.offers, a.gone = map[sealbox.ServiceUUID]*airService{}, false
	a.mu.Unlock()
	for service, s := range offers {
		if err := a.Offer(service, s.link); err != nil {
			return err
		}
	}
	return nil
}

// Adapter says how the browser's own is. Nobody is connected by one that is not on.
func (a *Air) Adapter(state bluetoothemulation.CentralState) error {
	on := state == bluetoothemulation.CentralStatePoweredOn
	if !on {
		if err := a.Leave(); err != nil {
			return err
		}
	}
	if _, err := onAir(a, bluetoothemulation.SetSimulatedCentralState, bluetoothemulation.SetSimulatedCentralStateParams{State: state}); err != nil || !on {
		return err
	}
	return a.Return()
}

// quit ends the connections of services, and refuses what the browser reads of them:
// Chromium takes all of Bluetooth from a page, silently and for good, if what it has
// asked of a characteristic is still open when that goes.
func (a *Air) quit(services ...*airService) {
	for _, s := range services {
		a.mu.Lock()
		s.cut()
		a.mu.Unlock()
		s.reads.Wait()
	}
}

func (s *airService) cut() {
	if s.port != nil {
		s.port.cut()
		s.port = nil
	}
}

func (a *Air) drop() {
	a.mu.Lock()
	offers := slices.Collect(maps.Values(a.offers))
	for _, s := range offers {
		s.subscribed = false
	}
	a.mu.Unlock()
	a.quit(offers...)
}

// run answers the browser, one operation after the other, as it asks.
func (a *Air) run() {
	for {
		select {
		case op := <-a.ops:
			a.answering.Lock()
			err := a.answer(op)
			a.answering.Unlock()
			if err != nil && a.ctx.Err() == nil {
				a.mu.Lock()
				a.err = err
				a.mu.Unlock()
			}
		case <-a.ctx.Done():
			a.drop()
			return
		}
	}
}

func (a *Air) answer(op any) (err error) {
	a.mu.Lock()
	away, gone, s := a.away, a.gone, new(airService)
	reads := false
	if op, ok := op.(*bluetoothemulation.EventCharacteristicOperationReceived); ok {
		for _, o := range a.offers {
			if o.rx == op.CharacteristicID || o.tx == op.CharacteristicID {
				s = o
			}
		}
		reads = op.Type == bluetoothemulation.CharacteristicOperationTypeRead && op.CharacteristicID == s.tx
	}
	// A page that disconnects does so for Chromium alone: the emulated computer hears of
	// no next connection, nor subscription.
	if reads && s.port == nil && s.subscribed {
		a.subscribe(s)
	}
	port := s.port
	if reads = reads && port != nil; reads {
		s.reads.Add(1) // under mu: who waits has cut the port under mu
	}
	a.mu.Unlock()
	switch op := op.(type) {
	case *deviceaccess.EventDeviceRequestPrompted:
		if op.ID == a.prompted {
			return nil
		}
		i := slices.IndexFunc(op.Devices, func(d *deviceaccess.PromptDevice) bool { return d.ID == nearby })
		switch {
		case away:
			a.prompted = op.ID
			_, err = Command(a.page, deviceaccess.CancelPrompt, deviceaccess.CancelPromptParams{ID: op.ID})
		case i >= 0:
			a.prompted = op.ID
			_, err = Command(a.page, deviceaccess.SelectPrompt, deviceaccess.SelectPromptParams{ID: op.ID, DeviceID: op.Devices[i].ID})
		}
		return err
	case *bluetoothemulation.EventGattOperationReceived:
		done := bluetoothemulation.SimulateGATTOperationResponseParams{Address: op.Address, Type: op.Type}
		if gone {
			done.Code = connectionTimeout
		} else if op.Type == bluetoothemulation.GATTOperationTypeConnection {
			a.drop()
		}
		_, err = onAir(a, bluetoothemulation.SimulateGATTOperationResponse, done)
		return err
	case *bluetoothemulation.EventCharacteristicOperationReceived:
		done := bluetoothemulation.SimulateCharacteristicOperationResponseParams{CharacteristicID: op.CharacteristicID, Type: op.Type}
		switch {
		case s.link == nil: // withdrawn meanwhile
			done.Code = invalidHandle
		case op.Type == bluetoothemulation.CharacteristicOperationTypeSubscribeToNotifications && op.CharacteristicID == s.tx:
			a.quit(s)
			a.mu.Lock()
			a.subscribe(s)
			a.mu.Unlock()
		case op.Type == bluetoothemulation.CharacteristicOperationTypeWrite && op.CharacteristicID == s.rx && port != nil:
			if op.WriteType != bluetoothemulation.CharacteristicWriteTypeWriteWithResponse {
				return fmt.Errorf("a write of type %s", op.WriteType)
			}
			port.in <- op.Data
			if said, err := segment.Parse(op.Data); err == nil && said.Kind == segment.Bye {
				<-port.over // nothing is open any more when the page goes
			}
		case reads:
			a.work.Go(func() { // it waits for a notification
				defer s.reads.Done()
				select {
				case done.Data = <-port.out:
				case <-port.gone:
					done.Code = invalidHandle
				}
				if _, err := onAir(a, bluetoothemulation.SimulateCharacteristicOperationResponse, done); err != nil && a.ctx.Err() == nil {
					port.cut()
				}
			})
			return nil
		case op.Type == bluetoothemulation.CharacteristicOperationTypeRead, op.Type == bluetoothemulation.CharacteristicOperationTypeWrite: // of a connection that is over
			done.Code = invalidHandle
		}
		_, err = onAir(a, bluetoothemulation.SimulateCharacteristicOperationResponse, done)
		return err
	}
	return fmt.Errorf("the browser asks for %T", op)
}

// subscribe begins a connection of a service that has none. The caller holds mu.
func (a *Air) subscribe(s *airService) {
	p := &airPort{in: make(chan []byte, 1024), out: make(chan []byte), gone: make(chan struct{}), over: make(chan struct{})}
	s.port, s.subscribed = p, true
	a.work.Go(func() {
		defer close(p.over)
		_ = s.link.Serve(a.ctx, p) // its end is the connection's: what is written then is refused
		a.mu.Lock()
		if s.port == p {
			s.cut()
		}
		a.mu.Unlock()
		s.reads.Wait()
	})
}
