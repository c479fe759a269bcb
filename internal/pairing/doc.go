// Package pairing is how one computer and one phone come to share keys, in
// four steps and two confirmations, while strangers hold every channel:
//
//	computer                                phone
//	1. QR code: c_pub, rendezvous    ────►  (camera, not a channel)
//	2.                               ◄────  sealed(s_pub ‖ commit ‖ mailbox)
//	3. hello: n_c, e_c, addresses    ────►
//	                                 ◄────  ack: n_s, e_s, addresses
//	4. both show the same two words; the person compares them:
//	   y at the computer             ◄────  me_response, after Pair on the phone
//
// The phone commits to n_s before it knows n_c, so that whoever joins in
// between has one guess at 22 bits, and the person sees it fail. [Computer]
// and [Phone] are the two sides as state machines: frames in, frames out. They
// take the first valid message of each step and drop all others. They do no
// I/O and read no clock; who owns them ends them in time.
//
// References: [kr-protocol] docs/protocol.md §3.
package pairing
