// What cards and alarms say of where a request comes from.
import assert from "node:assert/strict";
import { test } from "node:test";
import { card, otherPrint, pin } from "../gallery/fakes.ts";
import type { Card } from "../src/core.d.ts";
import { asks, refused } from "../src/notice.ts";
import { alarmSheet } from "../src/ui/alarm.ts";
import { cardSheet } from "../src/ui/card.ts";
import { plain } from "./cards.ts";
import { part } from "./part.ts";

const shown = (over: Partial<Card>): string => part(cardSheet, { cards: [{ ...card, ...over }] }).words;
const content = { namespace: "git", user: "", name: "", known: "NoName", pins: [], knownAs: [] } as const;
const away = (path: string[]): Card["host"] => ({ proof: "unknown", keyType: "", fingerprint: "", cert: null, local: false, path });

test("what may be forwarded is said to be, be it a login or not", () => {
  const hop = { pins: [{ ...pin, name: "hop.example", fingerprint: otherPrint }] };
  for (const what of [{}, content]) {
    const one = { ...card, ...what, host: away([otherPrint]) };
    const { words } = part(cardSheet, { cards: [one], ...hop });
    assert.match(words, /May be forwarded.*By way of.*hop\.example/);
    assert.match(plain(asks([one], true).body), /may be forwarded/);
    assert.match(part(alarmSheet, { alarms: [{ type: "Alarm", card: one, code: "forwarded", reason: "" }], ...hop }).words, /Refused: forwarded.*By way of.*hop\.example/);
    assert.match(shown({ ...what, host: away([]) }), /May be forwarded/);
    assert.doesNotMatch(shown({ ...what, host: { ...card.host, local: true } }), /May be forwarded/);
  }
  const alarm = { type: "Alarm", card: { ...card, ...content, host: away([otherPrint]) }, code: "forwarded", reason: "" } as const;
  assert.match(part(alarmSheet, { alarms: [alarm] }).words, /Signature for git/);
  assert.equal(plain(refused(alarm).title), "Refused: Signature for git");
});
