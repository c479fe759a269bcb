import assert from "node:assert/strict";
import { test } from "node:test";
import { actions, card, full, now } from "../gallery/fakes.ts";
import { hostile, names } from "../gallery/hostile.ts";
import { alarmSheet } from "../src/ui/alarm.ts";
import { Arm } from "../src/ui/arm.ts";
import { cardSheet } from "../src/ui/card.ts";
import { type Page, type Tab, type Ui, newState } from "../src/ui/context.ts";
import { type Child, type Node, h } from "../src/ui/dom.ts";
import { endedSheet } from "../src/ui/ended.ts";
import { screen } from "../src/ui/screen.ts";
import { unlockSheet } from "../src/ui/unlock.ts";
import type { View } from "../src/ui/view.ts";

// Sentences that are long by right have 600 characters; what comes from outside is cut long before.
const longest = 700;
const raw = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u034f\u115f\u1160\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|\p{M}{3}/u;
Object.defineProperty(globalThis, "navigator", { configurable: true, value: { userAgent: "a browser" } }); // Node 20 has none
const texts = {
  ...names, c1: "a\u009b2J\u0085b\u007f", lookalikes: "rооt@gіthub.com․⁄．", invisible: "ro\u3164\ufe0f\u{e0041}\u00adot", separators: "a\u2028b\u2029c",
};

Object.assign(globalThis, { location: new URL("https://app.example/") });

function ui(view: View, over: Partial<Ui["state"]> = {}): Ui {
  const none = (): void => undefined;
  return { view, actions: actions([], {}), state: { ...newState(), ...over }, now, arm: new Arm(none), run: none, redraw: none, change: none, say: none, go: none, back: none };
}

const all = (n: Node): Node[] => [n, ...n.kids.flatMap(all)];
const drawn = (child: Child): Node[] => all(h("main", {}, child));

/** faults are the words, and the attributes that people see or hear, that are raw or without end. */
function faults(what: string, nodes: Node[]): string[] {
  const out: string[] = [];
  for (const n of nodes) {
    const said = [n.text, ...Object.entries(n.props).filter(([name]) => /^(aria-|title|alt|placeholder)/.test(name)).map(([, v]) => v)];
    for (const s of said) {
      if (typeof s === "string" && (raw.test(s) || s.length > longest)) out.push(`${what}: <${n.tag}> ${s.length} ${JSON.stringify(s.slice(0, 80))}`);
    }
  }
  return out;
}

test("no text from outside comes out raw, or without end, on any screen", () => {
  const tabs: Tab[] = ["home", "activity", "computers", "settings"];
  const pages: Page[] = [{ name: "computer", pairing: "p1" }, { name: "hosts" }, { name: "pair" }, { name: "addKey" }];
  for (const [what, text] of Object.entries(texts)) {
    const odd = hostile(text);
    const alarm = { type: "Alarm" as const, card: odd.cards[0] ?? card, code: "host_key" as const, reason: text };
    const view: View = { ...odd, alarms: [alarm] };
    const found = [
      ...tabs.flatMap((tab) => faults(`${what}, ${tab}`, drawn(screen(ui(view, { tab }))))),
      ...pages.flatMap((page) => faults(`${what}, ${page.name}`, drawn(screen(ui(view, { pages: [page] }))))),
      ...(["loading", "busy", "dead"] as const).flatMap((phase) => faults(`${what}, ${phase}`, drawn(screen(ui({ ...view, phase }))))),
      ...[cardSheet, alarmSheet, endedSheet, unlockSheet].flatMap((sheet) => faults(`${what}, ${sheet.name}`, drawn(sheet(ui(view))))),
      ...["allow", "more"].flatMap((which) => faults(`${what}, ${which}`, drawn(cardSheet(ui(view, { open: new Set([`${which} ${card.pairing} ${card.request}`]) }))))),
    ];
    assert.deepEqual(found, []);
  }
});

test("a thousand questions are one card, and one tap puts them all aside", () => {
  const cards = Array.from({ length: 1000 }, (_, i) => ({ ...card, request: `r${i}`, user: `user${i}` }));
  const state = newState();
  const u: Ui = { ...ui({ ...full, cards }), state, change: (f) => f(state) };
  const nodes = drawn(cardSheet(u));
  assert.equal(nodes.filter((n) => n.tag === "dialog").length, 1);
  assert.equal(nodes.filter((n) => n.tag === "h1").length, 1);
  assert.ok(nodes.length < 300, `${nodes.length} nodes`);
  nodes.find((n) => n.tag === "dialog")?.props.oncancel?.(new Event("cancel", { cancelable: true }));
  assert.equal(cardSheet(u), null);
});
