#!/usr/bin/env python3
"""Prints vectors/ble_service.json: UUIDs of Bluetooth services, independently of
our Go code. X25519 is that of RFC 7748, section 5, HKDF that of RFC 5869.

python3 vectors/gen/bluetooth.py > vectors/ble_service.json
"""
import hashlib, hmac, json, uuid

P = 2**255 - 19


def x25519(k, u):
    k = bytearray(k)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k, x1 = int.from_bytes(k, "little"), int.from_bytes(u, "little") % 2**255
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        e, da, cb = a * a - b * b, d * a, c * b
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = a * a * b * b % P, e * (a * a + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def service(ikm, info):
    prk = hmac.new(b"kryptonite bluetooth v1", ikm, hashlib.sha256).digest()
    b = bytearray(hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:16])
    b[6], b[8] = b[6] & 15 | 128, b[8] & 63 | 128
    return str(uuid.UUID(bytes=bytes(b)))


BASE = (9).to_bytes(32, "little")
out = []
for i in range(4):
    c, s = (hashlib.sha256(b"%s %d" % (w, i)).digest() for w in (b"computer", b"phone"))
    c_pub, s_pub = x25519(c, BASE), x25519(s, BASE)
    z = x25519(c, s_pub)
    assert z == x25519(s, c_pub)
    out.append({"name": f"service {i}", "expect": "ok", "c": c.hex(), "s": s.hex(), "c_pub": c_pub.hex(), "s_pub": s_pub.hex(),
                "rendezvous": service(c_pub, b"rendezvous"), "pairing": service(z, b"pairing" + c_pub + s_pub)})
print('{"comment": "printed by gen/bluetooth.py", "vectors": [')
print(",\n".join("  " + json.dumps(v) for v in out))
print("]}")
