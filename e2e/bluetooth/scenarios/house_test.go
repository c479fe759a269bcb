package scenarios

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/e2e"
	"kryptonite/internal/transport/ble/bluez"
)

// TestHouse: phone and computer pair and log in by Bluetooth alone, also after a
// stranger has flooded krd, bluetoothd was killed, and the adapter was off.
func TestHouse(t *testing.T) {
	bus := inMachine(t)
	h, err := e2e.NewHouse("/usr/bin", t.TempDir())
	must(t, err)
	defer func() { must(t, h.Close()) }()
	h.Env = append(h.Env, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket", bluez.AdapterVariable+"="+computerAdapter)
	h.PhoneMore = []string{bluez.AdapterVariable + "=" + phoneAdapter}
	for _, args := range [][]string{{"config", "set", "app", "https://app.example.com"}, {"channel", "add", "bluetooth"}} {
		_, err := h.Kr(args...)
		must(t, err)
	}
	must(t, h.StartKrd())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("krd:\n%s", h.Krd.Output())
		}
	})
	neighbour(t, bus, computerAdapter)
	timed(t, "pair", func() error { return h.Pair("ana") })
	must(t, h.StartSshd())
	timed(t, "a login, and a stranger before it", func() error { return loginAfterFlood(t, bus, h) })
	timed(t, "a login", h.Login)
	signatures(t, h)

	must(t, os.WriteFile("/run/kill", []byte("now\n"), 0))
	timed(t, "a login after bluetoothd was killed", h.Login)

	power := func(on bool) error {
		return adapter(bus, computerAdapter).SetProperty("org.bluez.Adapter1.Powered", dbus.MakeVariant(on))
	}
	must(t, power(false))
	out, err := h.Kr("channel", "list")
	must(t, err)
	if !strings.Contains(out, "\nbluetooth    Bluetooth is off: switch it on: bluetoothctl power on\n") {
		t.Errorf("kr channel list:\n%s", out)
	}
	must(t, power(true))
	timed(t, "a login after the adapter was off", h.Login)
}

// timed runs what must go well, and says how long it took.
func timed(t *testing.T, what string, f func() error) {
	t.Helper()
	begun := time.Now()
	if err := f(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%s: %.1f s", what, time.Since(begun).Seconds())
}

// signatures measures those that follow each other.
func signatures(t *testing.T, h *e2e.House) {
	t.Helper()
	conn, err := net.Dial("unix", h.Path("kr", "agent.sock"))
	must(t, err)
	defer conn.Close()
	client := agent.NewClient(conn)
	keys, err := client.List()
	must(t, err)
	var took []time.Duration
	for i := range 21 {
		// What ssh has signed when it logs in. [RFC 4252] section 7.
		payload := ssh.Marshal(struct {
			Session               []byte
			Type                  byte
			User, Service, Method string
			Signs                 bool
			Algorithm             string
			Key                   []byte
		}{fmt.Appendf(nil, "%032d", i), 50, "user", "ssh-connection", "publickey", true, keys[0].Format, keys[0].Blob})
		begun := time.Now()
		signature, err := client.Sign(keys[0], payload)
		took = append(took, time.Since(begun))
		must(t, err)
		must(t, keys[0].Verify(payload, signature))
	}
	slices.Sort(took)
	t.Logf("%d signatures: p50 %v, least %v, most %v", len(took), took[len(took)/2], took[0], took[len(took)-1])
}
