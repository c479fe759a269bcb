// Package fault is where tests take hold of a program: points at which it dies,
// and a wall clock that is wrong. In a build without the tag "faults", which is
// every build that people use, [Point] does nothing and [Now] is time.Now.
//
// With the tag, the program kills itself (SIGKILL: nothing is flushed, nobody
// is told) at the point that the environment variable KR_FAULT names, and
// [Now] is off by what the file named by KR_CLOCK holds, a duration such as
// "-20m", read anew each time:
//
//	KR_FAULT=krd.request.acked      the first time
//	KR_FAULT=krd.request.acked=3    the third time
//
// A point's name is the program, what it is doing, and what has just happened.
package fault
