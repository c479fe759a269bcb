// Package segment carries frames in the small writes and notifications of
// Bluetooth LE: what goes over the air, and what one end of one connection
// makes of it.
//
// A frame travels as segments that say where they belong, so that any order and
// repeats do no harm: BlueZ hands both on. All integers are big-endian.
//
//	DATA   0x11 id(1) total(3) offset(3) data
//	HELLO  0x12 version(1) start(4) seen(4) max frame(3) max segment(2)
//	ACK    0x13 id(1)
//	RESET  0x14 id(1) reason(1)
//	PING   0x15
//	PONG   0x16
//	BYE    0x17 reason(1)
//
// [Parse] and [Segment.Append] are the format, a [Conn] is the rules. It does no
// I/O and reads no clock: segments go in by [Conn.Receive] and come out of
// [Conn.Next], and [Conn.Due] says when [Conn.Tick] is wanted. Whoever is near
// may write anything, so what a Conn holds is bounded: two frames in the making,
// about 90 KB each, one frame on its way, and 16 short answers.
//
// References: [kr-protocol] docs/protocol.md §5.9.
package segment
