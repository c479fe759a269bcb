package daemon

import (
	"context"
	"errors"
	"net/http"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/wire"
)

// service is the pairing's over Bluetooth, whether or not it is used.
func (r *record) service() (wire.BluetoothAddress, error) {
	u, err := sealbox.ComputerService(r.Own, r.Phone)
	return wire.BluetoothAddress{Service: u[:]}, err
}

// listensNearby reports whether Bluetooth is among the addresses of a phone.
func listensNearby(list []wire.Address) bool {
	for _, a := range list {
		if a.Bluetooth != nil {
			return true
		}
	}
	return false
}

// radio is one service that krd serves.
type radio struct {
	link *ble.Link
	stop func() // and waits
}

// serve begins to serve a service.
func (d *Daemon) serve(at wire.BluetoothAddress, link *ble.Link) *radio {
	service := sealbox.ServiceUUID(at.Service)
	ctx, cancel := context.WithCancel(d.life)
	r := &radio{link: link}
	done := make(chan struct{})
	d.bg.Go(func() {
		defer close(done)
		_ = d.peripheral.Serve(ctx, service, r.link) // only ctx's
	})
	r.stop = func() { cancel(); <-done }
	return r
}

// linkBluetooth begins to serve the pairing's service. The caller holds p.list.mu,
// or p is nobody else's yet.
func (d *Daemon) linkBluetooth(p *phone) error {
	at, err := p.service()
	if err != nil {
		return err
	}
	p.radio = d.serve(at, ble.New())
	p.links = append(p.links, p.radio.link)
	return nil
}

// nearby is where the phone comes by Bluetooth, or nil.
func (p *phone) nearby() (*wire.BluetoothAddress, error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if !p.Bluetooth {
		return nil, nil
	}
	at, err := p.service()
	return &at, err
}

// silence ends the pairing's service, if there is one.
func (p *phone) silence() {
	p.list.mu.Lock()
	r := p.radio
	p.radio = nil
	p.list.mu.Unlock()
	if r != nil {
		r.stop()
	}
}

// asking keeps the phone's Bluetooth on while a request is open.
func (p *phone) asking() (over func()) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.radio == nil {
		return func() {}
	}
	return p.radio.link.Hold()
}

// gainBluetooth lets a phone that is paired come by Bluetooth, too.
func (d *Daemon) gainBluetooth(p *phone) (gained bool, err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	if p.Bluetooth {
		return false, nil
	}
	r := p.record
	r.Bluetooth = true
	r.gained(nameBluetooth)
	return true, d.useChannels(p, r)
}

// loseBluetooth ends that, unless it is all that the phone has.
func (d *Daemon) loseBluetooth(p *phone) (lost bool, err error) {
	p.list.mu.Lock()
	defer p.list.mu.Unlock()
	r := p.record
	if !r.Bluetooth {
		return false, nil
	}
	if err := r.needs(nameBluetooth); err != nil {
		return false, err
	}
	r.Bluetooth = false
	r.lost(nameBluetooth)
	return true, d.useChannels(p, r)
}

func (d *Daemon) handleAddBluetooth(w http.ResponseWriter, _ *http.Request) {
	reply(w, d.changeAll(d.gainBluetooth))
}

func (d *Daemon) handleRemoveBluetooth(w http.ResponseWriter, _ *http.Request) {
	reply(w, d.changeAll(d.loseBluetooth))
}

// sendNearby sends a frame to the phone that looks for a service.
func (d *Daemon) sendNearby(ctx context.Context, at wire.BluetoothAddress, frame []byte) error {
	if len(at.Service) != len(sealbox.ServiceUUID{}) {
		return errors.New("the service to tell it by is none")
	}
	r := d.serve(at, ble.New())
	defer r.stop()
	return r.link.Send(ctx, frame)
}

// meetNearby lets the phone come by Bluetooth alone: first to where the code leads
// it, then, once it has said who it is, to the pairing's own service.
func (r *pairRun) meetNearby() {
	c := r.computer.Invitation().CPub
	first, own := ble.NewMeeting(), ble.NewMeeting()
	first.Hold() // both until they are silenced
	own.Hold()
	u := sealbox.RendezvousService(c)
	r.begun = &wire.BluetoothAddress{Service: u[:]}
	r.radios, r.ownNearby = append(r.radios, r.d.serve(*r.begun, first)), own
	r.first, r.hello, r.later = first.Receive, first.Send, own.Receive
}

// knowNearby begins to serve the pairing's own service.
func (r *pairRun) knowNearby() {
	if r.ownNearby != nil {
		r.radios = append(r.radios, r.d.serve(*r.service(), r.ownNearby))
	}
}

// service is the pairing's over Bluetooth, of a phone that is known.
func (r *pairRun) service() *wire.BluetoothAddress {
	own, s, _ := r.computer.Keys()
	u, err := sealbox.ComputerService(own, s)
	if err != nil {
		panic("daemon: bug: a phone's key of low order: " + err.Error()) // Accept has refused it
	}
	return &wire.BluetoothAddress{Service: u[:]}
}

func (r *pairRun) silence() {
	for _, radio := range r.radios {
		radio.stop()
	}
	r.radios = nil
}
