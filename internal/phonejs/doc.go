// Package phonejs is the phone core as JavaScript sees it: one function that
// takes the name of a method and its arguments as JSON, and returns JSON.
//
//	call("handle", '[1700000000000,{"type":"OpenLink","link":"HTTPS://…"}]')
//	→ '[{"type":"Store","key":"pairing/…","value":"eyJ…"},{"type":"Listen",…}]'
//
// The methods, and each event and effect of package phone, are in
// web/src/core.d.ts; a test holds that page against the Go types. Bytes are
// standard base64, times and durations milliseconds, and a struct behind an
// interface says in "type" what it is. An argument that does not fit is
// answered by {"type":"Refused","text":…}. A panic is our own bug: it is caught
// and answered by {"type":"Dead","text":…}, and so is every later call, as the
// core may know what was never stored.
//
// All but the door itself ([Main]) is pure and is tested natively.
package phonejs
