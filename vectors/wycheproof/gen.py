#!/usr/bin/env python3
"""Makes the JSON files here of those of github.com/C2SP/wycheproof:

    ./gen.py TESTVECTORS_V1

Each test keeps its number there (tcId), which finds its comment and its flags,
and what is computed with. Left out are notes, other spellings of keys, and the
valid P1363 signatures, which are the valid DER ones in other words.
"""
import json
import pathlib
import sys

KEYS = {"x25519": None, "ed25519": "pk", "ecdsa_secp256r1_sha256": "uncompressed", "ecdsa_secp256r1_sha256_p1363": "uncompressed"}
FIELDS = ["tcId", "public", "private", "shared", "msg", "sig", "result"]


def line(o):
    return json.dumps(o, separators=(",", ":"))


for name, key in KEYS.items():
    file = f"{name}_test.json"
    theirs = json.loads((pathlib.Path(sys.argv[1]) / file).read_text())
    groups, n = [], 0
    for g in theirs["testGroups"]:
        kept = [t for t in g["tests"] if not (name.endswith("p1363") and t["result"] == "valid")]
        if not kept:
            continue
        n += len(kept)
        tests = ",\n".join(line({k: t[k] for k in FIELDS if k in t}) for t in kept)
        public = f'"publicKey":{line(g["publicKey"][key])},' if key else ""
        groups.append(f'{{{public}"tests":[\n{tests}]}}')
    text = f'{{"algorithm":{line(theirs["algorithm"])},"numberOfTests":{n},"testGroups":[\n' + ",\n".join(groups) + "]}\n"
    json.loads(text)
    pathlib.Path(file).write_text(text)
