// Package bluez does the radio of package ble through BlueZ, the Bluetooth service
// of Linux, over D-Bus: a [Peripheral] for computers, a [Central] for phones.
//
// Both serve one GATT service of one pairing as long as its Link wants connections:
// they open a connection of their own to the system bus (DBUS_SYSTEM_BUS_ADDRESS),
// and close it when nothing is left to say, upon which BlueZ forgets what was
// advertised. In between they go by BlueZ's objects as they come and go: adapters
// that are switched off, on or unplugged, a bluetoothd that ends and comes back.
// They never switch an adapter on, nor make it discoverable, and tell no name.
//
// What a computer must know of BlueZ (5.66): a notification goes to every central
// that has subscribed. An acquired socket for writes would mix what all centrals
// write; so writes come by WriteValue, which names the device, and as the
// characteristic takes no others than writes with response, BlueZ holds the next one
// back until this one is answered. Notifications go by the socket of AcquireNotify,
// which makes the writer wait while the radio is busy, else by the property Value.
//
// References: [BlueZ] doc/gatt-api.txt, advertising-api.txt, adapter-api.txt,
// device-api.txt; [kr-protocol] docs/protocol.md §5.9.
package bluez
