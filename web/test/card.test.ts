// What cards and alarms say of where a request comes from.
import assert from "node:assert/strict";
import { test } from "node:test";
import { card, otherPrint, pin } from "../gallery/fakes.ts";
import type { Alarm, Card, Pin } from "../src/core.d.ts";
import { asks, refused } from "../src/notice.ts";
import { sentence } from "../src/sentences.ts";
import { alarmSheet } from "../src/ui/alarm.ts";
import { cardSheet } from "../src/ui/card.ts";
import { plain } from "./cards.ts";
import { part } from "./part.ts";

const shown = (over: Partial<Card>): string => part(cardSheet, { cards: [{ ...card, ...over }] }).words;
const content: Partial<Card> = { namespace: "git", user: "", name: "", known: "NoName", pins: [], knownAs: [], hostName: "" };
const away = (path: string[]): Card["host"] => ({ proof: "unknown", keyType: "", fingerprint: "", cert: null, local: false, path });

test("what may be forwarded is said to be, be it a login or not", () => {
  const hop = { pins: [{ ...pin, name: "hop.example", fingerprint: otherPrint }] };
  for (const what of [{}, content]) {
    const one: Card = { ...card, ...what, host: away([otherPrint]) };
    const { words } = part(cardSheet, { cards: [one], ...hop });
    assert.match(words, /May be forwarded.*By way of.*hop\.example/);
    assert.match(plain(asks([one], true).body), /may be forwarded/);
    assert.match(part(alarmSheet, { alarms: [{ type: "Alarm", card: one, code: "forwarded", reason: "" }], ...hop }).words, /Refused: forwarded.*By way of.*hop\.example/);
    assert.match(shown({ ...what, host: away([]) }), /May be forwarded/);
    assert.doesNotMatch(shown({ ...what, host: { ...card.host, local: true } }), /May be forwarded/);
  }
  const alarm: Alarm = { type: "Alarm", card: { ...card, ...content, host: away([otherPrint]) }, code: "forwarded", reason: "" };
  assert.match(part(alarmSheet, { alarms: [alarm] }).words, /Signature for git/);
  assert.equal(plain(refused(alarm).title), "Refused: Signature for git");
});

test("a key is trusted for the computer that saw it, by its fingerprint", () => {
  const seen = { ...pin, name: "nas.local", fingerprint: otherPrint };
  const one: Card = { ...card, name: "nas.local", hostName: "nas.local", known: "Mismatch", host: { ...card.host, fingerprint: otherPrint } };
  const offers = (strange: Pin[]): boolean => /I know why the key changed/.test(part(alarmSheet, { strange, alarms: [{ type: "Alarm", card: one, code: "host_key", reason: "" }] }).words);
  assert.deepEqual([offers([{ ...seen, scope: card.pairing }]), offers([{ ...seen, scope: "another" }]), offers([{ ...seen, scope: card.pairing, fingerprint: "SHA256:later" }])], [true, false, false]);
  assert.match(sentence({ type: "Note", kind: "Untrusted", pairing: "", computer: "", err: "there is no room", rule: "" })?.text ?? "", /No host key was pinned: there is no room\./);
});

test("a key that is known leads with its name, whatever the computer calls it", () => {
  const fresh: Partial<Card> = { known: "New", pins: [], knownAs: [], name: "git.example.org", hostName: "git.example.org" };
  assert.match(shown(fresh), /root@git\.example\.org.*First time: if you allow it, this key will be pinned/);
  const renamed: Partial<Card> = { ...fresh, knownAs: ["prod.example.com"], hostName: "prod.example.com", called: "git.example.org" };
  const words = shown(renamed);
  assert.match(words, /root@prod\.example\.com.*This key is known as prod\.example\.com\..*laptop calls it git\.example\.org\. If you allow it, this key will be pinned for that name, too/);
  assert.doesNotMatch(words, /First time/);
  const hearsay = shown({ ...fresh, known: "NoName", name: "", hostName: "", called: "git.example.org", host: { ...card.host, local: false } });
  assert.match(hearsay, /root@server without a name.*This key is not known here\. *laptop calls it git\.example\.org\./);
  assert.doesNotMatch(hearsay, /will be pinned/);
});
