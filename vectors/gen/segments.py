#!/usr/bin/env python3
"""Prints vectors/ble_segments.json, independently of our Go and TypeScript code.

python3 vectors/gen/segments.py > vectors/ble_segments.json
"""
import hashlib, json, struct

A, B, C = b"\x41\x01\x02\x03", b"\x42\x04\x05\x06", b"\x43\x07\x08\x09"
NONE = bytes(4)
out = []


def pattern(n):
    return bytes((i * 7 + (i >> 8)) & 255 for i in range(n))


def u24(n):
    return struct.pack(">I", n)[1:]


def data(id, total, offset, b):
    return b"\x11" + bytes([id]) + u24(total) + u24(offset) + b


def hello(start, seen, version=1, frame=65536, segment=500):
    return b"\x12" + bytes([version]) + start + seen + u24(frame) + struct.pack(">H", segment)


def ack(id):
    return b"\x13" + bytes([id])


def reset(id, why):
    return b"\x14" + bytes([id, why])


PING, PONG, BROKEN, BUSY = b"\x15", b"\x16", 1, 2


def bye(why):
    return b"\x17" + bytes([why])


def split(frame, id, size):
    step = size - 8
    return [data(id, len(frame), i, frame[i:i + step]) for i in range(0, len(frame), step)]


def parse(name, b, expect="error", comment="", **fields):
    out.append(dict(name=name, kind="parse", expect=expect, comment=comment, segment=b.hex(), **fields))


parse("data", data(7, 100, 12, pattern(20)), "ok", type=0x11, id=7, total=100, offset=12, data=pattern(20).hex())
parse("data, the last of a frame", data(255, 65536, 65535, b"x"), "ok", type=0x11, id=255, total=65536, offset=65535, data="78")
parse("data, the longest", data(0, 65536, 0, pattern(492)), "ok", type=0x11, id=0, total=65536, offset=0, data=pattern(492).hex())
parse("data, the shortest before others", data(0, 13, 0, pattern(12)), "ok", type=0x11, id=0, total=13, offset=0, data=pattern(12).hex())
parse("hello", hello(A, NONE), "ok", type=0x12, version=1, start=A.hex(), seen=NONE.hex(), max_frame=65536, max_segment=500)
parse("hello that answers", hello(A, B, 2, 1, 20), "ok", type=0x12, version=2, start=A.hex(), seen=B.hex(), max_frame=1, max_segment=20)
parse("hello that says more", hello(A, B) + b"later", "ok", "five bytes more at most", type=0x12, version=1, start=A.hex(), seen=B.hex(),
      max_frame=65536, max_segment=500)
parse("ack", ack(9), "ok", type=0x13, id=9)
parse("reset", reset(9, BROKEN), "ok", type=0x14, id=9, reason=BROKEN)
parse("reset for a reason of later", reset(9, 200), "ok", type=0x14, id=9, reason=200)
parse("ping", PING, "ok", type=0x15)
parse("pong", PONG, "ok", type=0x16)
parse("bye", bye(1), "ok", type=0x17, reason=1)

parse("nothing", b"")
parse("another kind", b"\x10\0")
parse("another kind above", b"\x18\0")
parse("another version", b"\x21" + data(0, 20, 0, pattern(20))[1:])
parse("data of no bytes", data(7, 20, 0, b""))
parse("data, half a header", data(7, 20, 0, b"")[:5])
parse("data of no frame", data(7, 0, 0, b"x"))
parse("data beyond the frame", data(7, 19, 0, pattern(20)))
parse("data that begins at the end", data(7, 20, 20, b"x"))
parse("data of too large a frame", data(7, 65537, 0, pattern(20)))
parse("data, the largest numbers", data(7, 0xffffff, 0xffffff, pattern(20)))
parse("data, too short before others", data(7, 13, 0, pattern(11)), comment="strangers could write single bytes")
parse("data, too long", data(0, 65536, 0, pattern(493)))
parse("hello without a start", hello(NONE, B))
parse("hello of no frames", hello(A, B, frame=0))
parse("hello of short segments", hello(A, B, segment=19))
parse("hello, cut", hello(A, B)[:-1])
parse("hello, too long", hello(A, B) + b"latest")
for name, b in (("ack", ack(9)), ("reset", reset(9, 1)), ("ping", PING), ("pong", PONG), ("bye", bye(1))):
    parse(name + " and more", b + b"\0")
    if len(b) > 1:
        parse(name + ", cut", b[:-1])

for most, theirs, n in ((20, 500, 1), (20, 500, 12), (20, 500, 13), (182, 500, 1000), (514, 500, 65536), (3, 500, 50), (500, 100, 700),
                        (500, 65535, 700), (244, 244, 236), (244, 244, 237)):
    size = max(20, min(most, theirs, 500))
    s = split(pattern(n), A[0], size)
    out.append(dict(name="%d bytes at %d and %d" % (n, most, theirs), kind="split", expect="ok", comment="", start=A.hex(), most=most,
                    peer_segment=theirs, length=n, count=len(s), sha256=hashlib.sha256(b"".join(s)).hexdigest()))


def step(at, do, arg=b"", events=(), out=()):
    return dict(at=at, do=do, bytes=arg.hex(), events=list(events), out=[s.hex() for s in out])


def arrived(id, frame):
    return "arrived %d %s" % (id, hashlib.sha256(frame).hexdigest()[:16])


TAKEN, NOT_TAKEN = "taken", "failed not taken"


def talk(name, *steps, comment="", most=20):
    out.append(dict(name=name, kind="talk", expect="ok", comment=comment, start=A.hex(), most=most, steps=list(steps)))


met = (step(0, "next", out=[hello(A, NONE)]), step(0, "receive", hello(B, A), out=[hello(A, B)]))
f30, a = pattern(30), A[0]
s30 = split(f30, 9, 20)
mine = split(f30, a, 20)

talk("who is first says hello until it is heard", step(0, "next", out=[hello(A, NONE)]), step(1999, "tick"), step(2000, "tick", out=[hello(A, NONE)]),
     step(2100, "receive", hello(B, NONE), out=[hello(A, B)]), step(2200, "receive", hello(B, A)), step(4200, "tick"),
     step(4300, "receive", hello(B, NONE), out=[hello(A, B)]), comment="an old hello that comes late is answered, once")
talk("a hello for another central", *met, step(1, "receive", hello(C, NONE), out=[hello(A, C)]), step(2, "receive", hello(B, C)),
     step(3, "receive", hello(C, A)), step(4, "send", f30, out=mine), step(5, "receive", hello(B, B)), step(6, "receive", ack(a), events=[TAKEN]),
     comment="BlueZ hands a notification to all who have subscribed")
talk("nobody is there", *[step(t, "tick", out=[hello(A, NONE)]) for t in range(0, 12000, 2000)], step(12000, "tick", events=["ended no hello"]))
talk("a frame comes in any order, and again", *met, step(1, "receive", s30[2]), step(2, "receive", s30[0]), step(3, "receive", s30[2]),
     step(4, "receive", s30[1], events=[arrived(9, f30)]), step(5, "receive", s30[0]), step(6, "ack", b"\x09", out=[ack(9)]),
     step(7, "ack", b"\x09"), step(8, "receive", s30[1]), step(9, "receive", s30[0], out=[ack(9)]))
talk("no room for a frame", *met, *[step(1, "receive", s) for s in s30[:2]], step(1, "receive", s30[2], events=[arrived(9, f30)]),
     step(2, "refuse", b"\x09", out=[reset(9, BUSY)]), step(3, "receive", s30[0], out=[reset(9, BUSY)]),
     step(4, "receive", data(10, 1, 0, b"x"), events=[arrived(10, b"x")]))
talk("segments that contradict each other", *met, step(1, "receive", s30[1]), step(2, "receive", data(9, 30, 6, pattern(12)), out=[reset(9, BROKEN)]),
     step(3, "receive", s30[0], out=[reset(9, BROKEN)]), step(4, "receive", s30[2]))
talk("a third frame pushes out the one heard longest ago", *met, step(1, "receive", data(1, 13, 0, f30[:12])), step(2, "receive", data(2, 13, 0, f30[:12])),
     step(3, "receive", data(3, 13, 0, f30[:12])), step(4, "receive", data(1, 13, 12, f30[12:13])), step(5, "receive", data(3, 13, 12, f30[12:13]), events=[arrived(3, f30[:13])]),
     step(6, "receive", data(1, 13, 0, f30[:12]), events=[arrived(1, f30[:13])]))
talk("half a frame goes after ten seconds", *met, step(0, "receive", s30[0]), step(9999, "receive", s30[1]), step(19999, "tick"),
     step(20000, "receive", s30[2]), step(20001, "receive", s30[0]), step(20002, "receive", s30[1], events=[arrived(9, f30)]))
talk("a frame before a hello is none", step(0, "next", out=[hello(A, NONE)]), *[step(1, "receive", s) for s in s30], step(2, "receive", PING))
talk("a frame goes out when the other end has seen us", step(0, "send", f30, out=[hello(A, NONE)]), step(1, "receive", hello(B, NONE), out=[hello(A, B)]),
     step(2, "receive", hello(B, A), out=mine), step(3, "receive", ack(a + 1)), step(4, "receive", ack(a), events=[TAKEN]),
     step(5, "receive", ack(a)), step(6, "send", b"x", out=[data(a + 1, 1, 0, b"x")]))
talk("not acknowledged", *met, step(0, "send", f30, out=mine), step(4999, "tick"), step(5000, "tick", out=mine), step(10000, "tick", out=mine),
     step(15000, "tick", events=[NOT_TAKEN]))
talk("reset, and begun anew", *met, step(0, "send", f30, out=mine), step(1, "receive", reset(a, BROKEN), out=split(f30, a + 1, 20)),
     step(2, "receive", reset(a, BROKEN)), step(3, "receive", reset(a + 1, BUSY)), step(1002, "tick"), step(1003, "tick", out=split(f30, a + 2, 20)),
     step(1004, "receive", ack(a + 2), events=[TAKEN]))
talk("the other end began anew", *met, step(0, "send", f30, out=mine), step(1, "receive", s30[0]),
     step(2, "receive", hello(C, NONE), out=[hello(A, C)]), step(3, "receive", hello(C, A), out=mine), step(4, "receive", ack(a), events=[TAKEN]),
     step(5, "receive", s30[1]), step(6, "receive", s30[2]), step(7, "receive", s30[0], events=[arrived(9, f30)]))
talk("a new life is told until it has heard", *met, step(9000, "receive", hello(C, NONE), out=[hello(A, C)]), step(10999, "tick"),
     *[step(t, "tick", out=[hello(A, C)]) for t in range(11000, 23000, 2000)], step(23000, "tick", events=["ended no hello"]))
talk("the other end takes small frames", *met, step(0, "send", f30, out=mine), step(1, "receive", hello(B, A, frame=29), events=["failed too large"]))
talk("the other end takes short segments", step(0, "next", out=[hello(A, NONE)]), step(0, "receive", hello(B, A, segment=25), out=[hello(A, B)]),
     step(0, "send", f30, out=split(f30, a, 25)), most=500)
talk("pings", *met, step(29999, "tick"), step(30000, "tick", out=[PING]), step(30001, "receive", PONG), step(40000, "receive", PING, out=[PONG]),
     step(70000, "tick", out=[PING]), step(84999, "tick"), step(85000, "tick", events=["ended silent"]))
talk("the other end leaves", *met, step(1, "receive", bye(1), events=["ended left"]), step(2, "receive", PING))
talk("this end leaves", *met, step(1, "close", b"\x02", out=[bye(2)]), step(2, "receive", PING))
talk("no version in common", step(0, "next", out=[hello(A, NONE)]), step(0, "receive", hello(B, A, version=0), events=["ended version"], out=[bye(3)]))
talk("a later version speaks ours", step(0, "next", out=[hello(A, NONE)]), step(0, "receive", hello(B, A, version=7) + b"later", out=[hello(A, B)]))

lines = ",\n".join("  " + json.dumps(v) for v in out)
print('{"comment": "printed by gen/segments.py; pattern(n) is the bytes (7i + i/256) mod 256", "vectors": [\n%s\n]}' % lines)
