// Package siege has the tests in which real sessions and real phone cores, in one
// process, are paired and used over channels that belong to an adversary (package
// transport/hostile), by computers and phones that lie, and for long.
//
// A [handset] is a phone core with its disk, its keys and its person; a [laptop] is
// a computer's end: pairing, then a session, with what krd has on disk. Either can be
// killed at any moment and go on from its disk. The [person] remembers what was
// shown and allowed, and the handset fails the test when something else is signed.
//
// References: docs/threat-model.md says which claims these tests hold.
package siege
