// Names that people with bad intentions send.
import type { View } from "../src/ui/view.ts";
import { card, entry, full, key, laptop, pin, rule } from "./fakes.ts";

const html = `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;
const bidi = "ro\u202eot\u2066moc.elpmaxe\u200b\u0000\u001b[31m\r\n";
const zalgo = "h" + "\u0336\u0301\u0316\u0329".repeat(200) + "ost";
const rtl = "\u05d3\u05d4.evil.example:22 (\u05d0)/\u0634\u0628\u0643\u0629 7";
const huge = (text: string): string => text.repeat(Math.ceil(65536 / text.length)).slice(0, 65536);

/** hostile has such names wherever they may come from. */
export function hostile(name: string): View {
  const odd = { ...card, user: name, computer: name, keyName: name, name, knownAs: [name, name], hostName: name, called: name, reported: { program: name, directory: name, remote: name, branch: name, host: name, port: 22, hostKeyAlias: false },
    host: { ...card.host, keyType: name.slice(0, 300), cert: { ca: name.slice(0, 300), principals: [name, name, name, name, name, name], validAfter: null, validBefore: null } } };
  return {
    ...full, name, troubles: [{ at: 0, text: name }], build: { hash: name, next: name, kept: "no", why: name }, why: name,
    keys: [{ ...key, name, line: name }],
    untold: [name], computers: [{ ...laptop, name }, { ...laptop, pairing: "p3", name }],
    channels: { p1: [{ kind: "relay", name, up: false }] }, pins: [{ ...pin, name, by: name }], strange: [{ ...pin, name, by: name }],
    rules: [{ ...rule, user: name, name }, { ...rule, id: "r2", scope: "block" }],
    log: [{ ...entry, user: name, computer: name, host: name, reason: name, program: name }, { ...entry, seq: 1, namespace: name }],
    messages: [{ id: 1, grave: true, text: name, do: name, returns: true }, { id: 2, grave: false, text: name, do: name, returns: true }],
    push: { state: "failed", why: name }, cards: [odd], alarms: [], unlocks: [],
    ended: [{ card: odd, why: "expired", took: 0 }],
  };
}

export const names = { html, bidi, rtl, zalgo, huge: huge("W"), hugeBidi: huge(bidi) };
