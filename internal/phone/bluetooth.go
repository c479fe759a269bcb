package phone

import "kryptonite/internal/sealbox"

// Bluetooth returns the UUIDs of the services under which the computer of a
// pairing can be found by Bluetooth LE: the pairing's own, which it may have later
// only, and where they met. A browser wants to know them before it connects. None
// for a pairing that does not exist. [kr-protocol] §5.9.
func (c *Core) Bluetooth(pairing string) []string {
	p := c.pairings[pairing]
	if p == nil {
		return nil
	}
	services := []string{sealbox.ServiceUUID(p.service().Service).String()}
	if p.Nearby != nil {
		services = append(services, sealbox.ServiceUUID(p.Nearby.Service).String())
	}
	return services
}
