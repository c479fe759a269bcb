// Package sshwire reads and writes the few SSH structures that a key on a
// phone meets: what ssh asks to have signed, who the host is, keys and
// signatures. It is our own small codec, strict and bounded, because it runs
// in the phone app, too: what parses is written again and must give the same
// bytes, so that nothing is signed that was not understood.
//
// Start with [Classify] on the bytes to sign, then [ParseUserauth] or
// [ParseSSHSIG]; with [ParseBind] and [Bind.Verify] for the host; with
// [ParsePublicKey], [ParseSignature] and [PublicKey.Verify] for everything else.
// A passkey as an SSH key has [ParseWebAuthn] and [PublicKey.VerifyWebAuthn].
//
//	userauth     string session_id ‖ byte 50 ‖ string user ‖ string "ssh-connection" ‖
//	             string method ‖ bool true ‖ string algorithm ‖ string public_key
//	             [‖ string host_key]                    [RFC 4252] §7, [PROTOCOL] §3.1
//	SSHSIG       "SSHSIG" ‖ string namespace ‖ string reserved ‖
//	             string hash_algorithm ‖ string hash    [PROTOCOL.sshsig] §3
//	bind         string host_key ‖ string session_id ‖
//	             string signature ‖ bool is_forwarding  [PROTOCOL.agent] §1
//	key          string type ‖ fields                   Ed25519: string A; ECDSA: string
//	                                                    curve, string Q; RSA: mpint e, mpint n;
//	                                                    passkey: string "nistp256", string Q,
//	                                                    string application
//	certificate  string type ‖ string nonce ‖ fields of the key ‖ uint64 serial ‖
//	             uint32 kind ‖ string key_id ‖ string principals ‖
//	             uint64 valid_after ‖ uint64 valid_before ‖
//	             string critical_options ‖ string extensions ‖ string reserved ‖
//	             string ca_key ‖ string signature       [PROTOCOL.certkeys]
//	signature    string format ‖ string blob            Ed25519: 64 bytes; ECDSA: mpint r,
//	                                                    mpint s; RSA: as long as n
//	  of a passkey  ‖ byte flags ‖ uint32 counter ‖ string origin ‖
//	             string client_data ‖ string extensions [PROTOCOL.u2f]
//
// The package never sanitises what it read: user names, key ids and principals
// hold any bytes until somebody shows them. It trusts no certificate authority,
// reads no clock and does no I/O. Other hardware keys (sk-…), their certificates
// and their own signatures are [ErrUnsupported]; host keys and authorities that
// sign by WebAuthn prove nothing here. Results share no memory with the input.
//
// References: [RFC 4251] §5 data types, §6 names; [RFC 4252] §7 publickey;
// [RFC 4253] §6.6 keys; [RFC 5656] §3.1 ECDSA; [RFC 8332] §3 rsa-sha2;
// [RFC 8709] §4, §6 Ed25519; [RFC 4254] §1 ssh-connection; [RFC 8017] §3.1 RSA
// keys; [sshd(8)] AUTHORIZED_KEYS; OpenSSH's [PROTOCOL] §3.1 hostbound,
// [PROTOCOL.agent] §1 session-bind, [PROTOCOL.certkeys], [PROTOCOL.sshsig],
// [PROTOCOL.u2f]; [WebAuthn] W3C Web Authentication Level 3.
package sshwire
