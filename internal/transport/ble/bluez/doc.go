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
// What a computer must know of BlueZ (5.46 and later): it asks for a socket for
// notifications (AcquireNotify) for each device that subscribes; before 5.69, for the
// first only. What goes into a socket, that device gets, and before April 2024 all that
// have subscribed; the property Value, all get, whatever sockets there are. So a central
// is notified by its own device's socket, else by Value, and nothing goes by versions.
//
// A socket for writes (AcquireWrite) would mix, in old versions, what all centrals
// write; so writes come by WriteValue, which names the device, and as the
// characteristic takes no others than writes with response, BlueZ holds the next one
// back until this one is answered.
//
// References: [BlueZ] doc/gatt-api.txt, advertising-api.txt, adapter-api.txt,
// device-api.txt; [kr-protocol] docs/protocol.md §5.9.
package bluez
