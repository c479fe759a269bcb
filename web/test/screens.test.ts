import assert from "node:assert/strict";
import { test } from "node:test";
import { card, full, plainKey } from "../gallery/fakes.ts";
import { clean, cut, lookalikes } from "../src/ui/clean.ts";
import { groups } from "../src/ui/group.ts";
import { next } from "../src/ui/next.ts";
import { pushSettings } from "../src/ui/push.ts";
import type { Push, View } from "../src/ui/view.ts";
import { ago, left, span } from "../src/ui/when.ts";
import { part } from "./part.ts";

test("what cannot be seen is shown", () => {
  assert.equal(clean("ro\u202eot"), "ro‹202E›ot");
  assert.equal(clean("a\u0000\u001b[31m\r\n"), "a‹0000›‹001B›[31m‹000D›‹000A›");
  assert.equal(clean("\u200b\u{e0100}\ud800"), "‹200B›‹E0100›‹D800›");
  assert.equal(clean(" a  b\u00a0"), "␣a␣ b␣");
  assert.equal(clean("Zoë, ключ, 鍵, 🔑"), "Zoë, ключ, 鍵, 🔑");
  assert.equal(clean("e" + "\u0301".repeat(900)), "e\u0301\u0301");
});

test("what is long is cut, not through a character", () => {
  assert.deepEqual(cut("abc", 3), { text: "abc", all: true });
  assert.deepEqual(cut("abcd", 3), { text: "ab…", all: false });
  assert.deepEqual(cut("🔑🔑🔑🔑", 3), { text: "🔑🔑…", all: false });
  assert.equal(cut("\u202e".repeat(65536), 64).text.length, 64);
});

test("letters that can pass for others are noticed", () => {
  assert.equal(lookalikes("root"), false);
  assert.equal(lookalikes("r\u043e\u043et"), true);
  assert.equal(lookalikes("root\u200b"), true);
});

test("only what is the same in all that matters is one question", () => {
  const same = { ...card, request: "r2", expires: card.expires + 1 };
  const count = (change: object): number => groups([card, { ...same, ...change }]).length;
  assert.equal(count({}), 1);
  for (const change of [
    { pairing: "p2" }, { user: "admin" }, { keyName: "other" }, { host: { ...card.host, fingerprint: "SHA256:other" } },
    { host: { ...card.host, local: false } }, { host: { ...card.host, proof: "bound" } }, { hostName: "other.example.com" }, { called: "other.example.com" }, { known: "New" },
  ]) assert.equal(count(change), 2, JSON.stringify(change));
  const unknown = { ...card, host: { ...card.host, fingerprint: "" } };
  assert.equal(groups([unknown, { ...unknown, request: "r2" }]).length, 2);
  const sshsig = { ...card, namespace: "git" };
  assert.equal(groups([sshsig, { ...sshsig, request: "r2" }]).length, 2);
});

test("times are said as people say them", () => {
  assert.deepEqual([left(-5), left(999), left(42_000), left(119_500), left(121_000), left(7_500_000)], ["0:00", "0:01", "0:42", "2 min", "2 min", "2 h 5 min"]);
  assert.deepEqual([span(900_000), span(3_600_000), span(5_400_000)], ["15 min", "1 h", "1 h 30 min"]);
  assert.deepEqual([ago(0, 5e12), ago(5e12 - 30_000, 5e12), ago(5e12 - 7_000_000, 5e12)], ["never", "just now", "1 h ago"]);
});

const pushStates: Push["state"][] = ["none", "home", "ask", "denied", "working", "on", "failed"];

test("Home asks for notifications once a computer can ask, and hints where they fail, until that is put off", () => {
  const hints = (over: Partial<View>): string => pushStates.filter((state) => /[Nn]otifications/.test(part(next, { push: { state, why: "no network" }, ...over }).words)).join(" ");
  assert.equal(hints({}), "home ask denied failed");
  assert.equal(hints({ computers: [] }), "");
  assert.equal(hints({ putOff: ["push"] }), "");
  for (const [state, button] of [["ask", "Turn on notifications"], ["failed", "Try again"]] as const) {
    const { press, calls } = part(next, { push: { state, why: "no network" } });
    press(button);
    press("Not now");
    assert.deepEqual(calls, [["ring"], ["putOff", "push"]]);
  }
  assert.match(part(next, { push: { state: "failed", why: "no network" } }).words, /do not work\. No network/);
});

test("Home says one thing to do next, up to the first login", () => {
  const first = { push: { state: "ask", why: "" }, log: [], install: true } as const;
  const title = (over: Partial<View>): string => /^Next: ([a-z]+)/.exec(part(next, { ...first, ...over } as Partial<View>).words)?.[1] ?? "";
  assert.equal(title({ computers: [] }), "pair");
  assert.equal(title({}), "turn");
  assert.equal(title({ push: { state: "on", why: "" } }), "log");
  assert.equal(title({ putOff: ["push"] }), "log");
  assert.equal(title({ putOff: ["push", "login"] }), "install");
  assert.equal(title({ putOff: ["push"], log: full.log }), "install");
  assert.equal(title({ putOff: ["push"], log: full.log, install: false }), "");
  assert.match(part(next, { ...first, putOff: ["push"], log: [] }).words, /On laptop.*kr key add-host.*kr key add-to github/);
});

test("switches for notifications are there while they do something, or are on", () => {
  const switches = (over: Partial<View>): string => {
    const { words } = part(pushSettings, over);
    return ["Allow from the lock screen", "Say what rules allowed"].map((w) => (words.includes(w) ? "1" : "0")).join("");
  };
  const keys = [...full.keys, plainKey];
  for (const state of pushStates) {
    const push = { state, why: "" };
    assert.equal(switches({ push, keys }), state === "on" ? "11" : "00", state);
    assert.equal(switches({ push }), state === "on" ? "01" : "00", state);
    assert.equal(switches({ push, lockScreen: true, tellRules: true }), "11", state);
  }
  const { press, calls } = part(pushSettings, { keys, tellRules: true });
  press("Allow from the lock screen");
  press("Say what rules allowed");
  assert.deepEqual(calls, [["setLockScreen", true], ["setTellRules", false]]);
});

test("Settings says where notifications are allowed, and tries again", () => {
  const denied = { push: { state: "denied", why: "" } } as const;
  assert.match(part(pushSettings, { ...denied, home: "installed" }).words, /settings of this phone/);
  assert.match(part(pushSettings, { ...denied, home: "browser" }).words, /beside the address/);
  for (const [state, button] of [["ask", "Turn on notifications"], ["denied", "Try again"], ["failed", "Try again"]] as const) {
    const { press, calls } = part(pushSettings, { push: { state, why: "no network" } });
    press(button);
    assert.deepEqual(calls, [["ring"]]);
  }
});
