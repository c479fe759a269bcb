// Package sshwire reads and writes the few SSH structures that a key on a
// phone meets: what ssh asks to have signed, who the host is, keys and
// signatures. It is our own small codec, strict and bounded, because it runs
// in the phone app, too: what parses is written again and must give the same
// bytes, so that nothing is signed that was not understood.
//
//	userauth  string session_id ‖ byte 50 ‖ string user ‖ string "ssh-connection" ‖
//	          string method ‖ bool true ‖ string algorithm ‖ string public_key
//	          [‖ string host_key]                     [RFC 4252] §7, [PROTOCOL] §3.1
//	SSHSIG    "SSHSIG" ‖ string namespace ‖ string reserved ‖
//	          string hash_algorithm ‖ string hash     [PROTOCOL.sshsig] §3
//	bind      string host_key ‖ string session_id ‖
//	          string signature ‖ bool is_forwarding   [PROTOCOL.agent] §1
//
// References: [RFC 4251] §5 data types; [RFC 4252] §7 publickey; [RFC 4253]
// §6.6 keys; [RFC 5656] §3.1 ECDSA; [RFC 8332] rsa-sha2; [RFC 8709] Ed25519;
// OpenSSH's [PROTOCOL], [PROTOCOL.agent], [PROTOCOL.certkeys], [PROTOCOL.sshsig].
package sshwire
