#!/usr/bin/env python3
"""Prints vectors/link.json or padding.json, independently of our Go code.

python3 vectors/gen/text.py link > vectors/link.json
python3 vectors/gen/text.py padding > vectors/padding.json
"""
import base64, hashlib, json, sys

C = bytes(range(0x20, 0x40))
R = bytes(range(0xA0, 0xB0))


def code(raw):
    return base64.b32encode(raw).decode().rstrip("=")


def link():
    out = []
    good = code(b"\x01" + C + R)
    assert len(good) == 79

    def ok(name, app, relay, link, payload, comment=""):
        out.append(dict(name=name, kind="link", expect="ok", comment=comment, app=app, relay=relay, c_pub=C.hex(),
                        rendezvous=R.hex(), link=link, payload=payload,
                        payload_hash=hashlib.sha256(payload.encode()).hexdigest()))

    def bad(name, link, comment="", expect="error"):
        out.append(dict(name=name, kind="link", expect=expect, comment=comment, link=link))

    ok("app and relay are one", "https://kr.example", "https://kr.example", "HTTPS://KR.EXAMPLE/#" + good, good)
    ok("with a port", "https://kr.example:8443", "https://kr.example:8443", "HTTPS://KR.EXAMPLE:8443/#" + good, good)
    p = good + "/R:RELAY.EXAMPLE"
    ok("another relay", "https://kr.example", "https://relay.example", "HTTPS://KR.EXAMPLE/#" + p, p)
    p = good + "/R:KR.EXAMPLE:444"
    ok("another port is another relay", "https://kr.example", "https://kr.example:444", "HTTPS://KR.EXAMPLE/#" + p, p)
    ok("localhost", "http://localhost:8080", "http://localhost:8080", "HTTP://LOCALHOST:8080/#" + good, good)
    p = good + "/R:127.0.0.1:8081"
    ok("127.0.0.1", "http://127.0.0.1:8080", "http://127.0.0.1:8081", "HTTP://127.0.0.1:8080/#" + p, p,
       "the relay has the app's scheme")

    a = "HTTPS://KR.EXAMPLE/#"
    bad("empty", "")
    bad("no fragment", "HTTPS://KR.EXAMPLE/")
    bad("empty fragment", a)
    bad("http to another machine", "HTTP://KR.EXAMPLE/#" + good)
    bad("http to a name that begins so", "HTTP://LOCALHOST.EXAMPLE/#" + good)
    bad("http to another loopback address", "HTTP://127.0.0.2/#" + good)
    bad("http relay that is not this machine", "HTTP://LOCALHOST:1/#" + good + "/R:RELAY.EXAMPLE")
    bad("no scheme", "KR.EXAMPLE/#" + good)
    bad("wss", "WSS://KR.EXAMPLE/#" + good)
    bad("javascript", "JAVASCRIPT://KR.EXAMPLE/#" + good)
    bad("user", "HTTPS://KR.EXAMPLE@EVIL.EXAMPLE/#" + good)
    bad("path", "HTTPS://KR.EXAMPLE/APP/#" + good)
    bad("query", "HTTPS://KR.EXAMPLE/?X#" + good)
    bad("backslash", "HTTPS://KR.EXAMPLE\\X/#" + good)
    bad("space in the host", "HTTPS://KR EXAMPLE/#" + good)
    bad("no host", "HTTPS:///#" + good)
    bad("empty port", "HTTPS://KR.EXAMPLE:/#" + good)
    bad("port of letters", "HTTPS://KR.EXAMPLE:8O/#" + good)
    bad("port 0", "HTTPS://KR.EXAMPLE:0/#" + good)
    bad("port 65536", "HTTPS://KR.EXAMPLE:65536/#" + good)
    bad("port with a zero before it", "HTTPS://KR.EXAMPLE:0443/#" + good)
    bad("port of six digits", "HTTPS://KR.EXAMPLE:808080/#" + good)
    bad("two ports", "HTTPS://KR.EXAMPLE:80:80/#" + good)
    bad("host in other letters", "HTTPS://K\u0280.EXAMPLE/#" + good)
    bad("letter that becomes ASCII in capitals", "HTTPS://k\u0131.EXAMPLE/#" + good, "U+0131 in capitals is I")
    bad("host that begins with a hyphen", "HTTPS://-KR.EXAMPLE/#" + good)
    bad("host that ends in a dot", "HTTPS://KR.EXAMPLE./#" + good)
    bad("host with an empty label", "HTTPS://KR..EXAMPLE/#" + good)
    bad("relay whose host ends in a hyphen", "HTTPS://KR.EXAMPLE/#" + good + "/R:KR-")
    bad("label of 64", "HTTPS://" + "A" * 64 + ".EXAMPLE/#" + good)
    bad("host of 254", "HTTPS://" + ("A" * 62 + ".") * 4 + "AB" + "/#" + good)
    bad("a byte less", a + code(b"\x01" + C + R[:-1]))
    bad("a byte more", a + code(b"\x01" + C + R + b"\0"))
    bad("version only", a + code(b"\x01"))
    bad("secret key after it", a + code(b"\x01" + C + R + C), "what the original once did")
    bad("a character less", a + good[:-1])
    bad("a character more", a + good + "A")
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567":
        raw = base64.b32decode(good[:-1] + last + "=")
        if last != good[-1] and raw == b"\x01" + C + R:
            bad("loose bits " + last, a + good[:-1] + last, "the same bytes, but not the one way to write them")
    bad("padding", a + good + "=")
    bad("character not of base32", a + good[:5] + "1" + good[6:])
    bad("space inside", a + good[:5] + " " + good[5:])
    bad("line feed inside", a + good[:5] + "\n" + good[5:], "Go's base32 would skip it")
    bad("second fragment", a + good + "#" + good)
    bad("slash after it", a + good + "/")
    bad("empty relay", a + good + "/R:")
    bad("unknown part", a + good + "/X:RELAY.EXAMPLE")
    bad("relay named as a URL", a + good + "/R:HTTPS://RELAY.EXAMPLE")
    bad("relay with a path", a + good + "/R:RELAY.EXAMPLE/X")
    bad("two relays", a + good + "/R:A.EXAMPLE/R:B.EXAMPLE")
    bad("relay is the app", a + good + "/R:KR.EXAMPLE", "has a shorter form, and the words hash the payload")
    bad("very long", a + good + "/R:" + "A" * 2000)
    bad("version 0", a + code(b"\0" + C + R), expect="version 0")
    bad("version 2", a + code(b"\x02" + C + R), expect="version 2")
    bad("version 2 and longer", a + code(b"\x02" + C + R + bytes(40)) + "/Z:ANYTHING", expect="version 2")
    return out


def padding():
    out = []
    for n, want in [(0, 512), (1, 512), (511, 512), (512, 512), (513, 768), (767, 768), (768, 768), (769, 1024),
                    (65279, 65280), (65280, 65280)]:
        out.append(dict(name="pad %d" % n, kind="pad", expect="ok", comment="", length=n, padded_length=want))
    for n in (0, 1, 255, 256, 511, 513, 640, 767, 769, 1023, 1025, 65281):
        out.append(dict(name="unpad %d" % n, kind="unpad", expect="error", length=n,
                        comment="not a multiple of 256, or less than 512"))
    return out


vectors = {"link": link, "padding": padding}[sys.argv[1]]()
lines = ",\n".join("  " + json.dumps(v) for v in vectors)
print('{"comment": "printed by gen/text.py", "vectors": [\n%s\n]}' % lines)
