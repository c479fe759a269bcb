// Package phone is the phone: the core that holds pairings, decides what may
// be signed and remembers what it decided. It does no I/O. Events go in,
// effects come out:
//
//	effects := core.Handle(now, phone.Frame{Pairing: id, Data: frame})
//
// A program around it (a terminal, a web page) performs the effects under one
// rule: all [Store] effects of one Handle call are made durable, all or none,
// before any other effect of that call is performed; the others follow in
// order. A frame is acknowledged to its channel after that. From this follows
// what the protocol asks for: a decision is on disk before the signature is
// made, and the answer is on disk before it is sent.
//
// What the phone shows it has parsed itself out of the bytes it is going to
// sign. What the computer claims is labelled so ([Proof]).
//
// Each pairing knows which of the phone's keys its computer may see; a key that
// it may not see does not exist for it. [AllowKey] and [KeysChanged] change
// that, and the computer is told until it says that it knows.
//
// The core never holds SSH private keys: it asks for a signature ([Sign]) and
// is told the outcome ([Signed]). A Core is not safe for concurrent use.
//
// References: [kr-protocol] docs/protocol.md §3, §4; [PROTOCOL.agent] OpenSSH,
// session-bind@openssh.com.
package phone
