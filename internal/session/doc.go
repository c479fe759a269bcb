// Package session is one paired phone as its computer sees it: requests go out
// on all links at once, the first valid answer wins, and whatever comes in is
// checked before anyone believes it.
//
// [Session.Run] receives until it is told to stop; [Session.Sign] asks the
// phone for one signature and waits. In between lie the times of the protocol:
//
//	0        the request goes out on all links
//	300 ms   not acknowledged: the Waker, and once more after 2 s
//	2 s      not acknowledged: also a hello, for the phone may have lost the epoch
//	30 s     still not acknowledged: ErrNoAck (5 s for a phone known to be away)
//	ack+60 s no decision: ErrTimeout
//	100 s    the end in any case
//
// The same plaintext is sent again with back-off; the phone knows repeats by
// their id. When the caller's context ends the request is withdrawn on the
// phone. Epoch keys live in memory only: after a restart the first thing sent
// is a hello. So do the tokens of leases, which each request for the same SSH key
// brings along. A Session is safe for concurrent use.
//
// References: [kr-protocol] docs/protocol.md §2.4, §4.
package session
