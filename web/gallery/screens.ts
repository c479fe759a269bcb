// The screens of the gallery, by name.
import type { Card } from "../src/core.d.ts";
import type { Channel } from "../src/ears.ts";
import { bluetooth } from "../src/text/bluetooth.en.ts";
import { type Actions, type Air, NoPRF, type Push, type View } from "../src/ui/view.ts";
import { card, empty, full, lacks, laptop, nasPin, now, offers, otherPrint, passkey, pin, plainKey, roomy, rule, server, uses, years } from "./fakes.ts";
import { hostile, names } from "./hostile.ts";

/** A Screen is a View and the buttons that are pressed to get there. */
export interface Screen {
  view: View;
  press?: string[]; // "wait" waits until buttons work
  actions?: Partial<Actions>;
  type?: [string, string]; // what is typed into a field after that
  then?: Partial<View>; // shown after that
}

const cards = (...of: Card[]): Screen => ({ view: { ...full, cards: of }, press: ["wait"] });
const unsure = { noHostRule: "the host is not proved", noComputerRule: "the host is not proved" };
const fresh: Card = { ...card, known: "New", pins: [], knownAs: [], name: "new.example.org", hostName: "new.example.org", reported: { ...card.reported, program: "ssh", host: "new.example.org" } };
const renamed: Card = { ...fresh, knownAs: ["server.example.com"], hostName: "server.example.com", called: "new.example.org" };
const vouched: Card = { ...card, host: { ...card.host, proof: "vouched" }, noComputerRule: "the host is vouched for only" };
const bound: Card = { ...card, host: { ...card.host, proof: "bound" }, ...unsure };
const nothing = { ...card.host, proof: "unknown", fingerprint: "", keyType: "", local: false } as const;
const reported: Card = { ...card, host: { ...nothing, local: true }, known: "NoName", pins: [], knownAs: [], name: "", ...unsure };
const unknown: Card = { ...reported, hostName: "", reported: { program: "", directory: "", remote: "", branch: "", host: "", port: 0, hostKeyAlias: false } };
const forwarded: Card = { ...card, name: "", known: "NoName", pins: [], host: { ...card.host, local: false, path: [otherPrint, "SHA256:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"] }, noHostRule: "it may be forwarded", noComputerRule: "it may be forwarded" };
const cert: Card = { ...card, knownAs: ["server.example.com", "git.example.com", "10.0.0.5"], host: { ...card.host, cert: { ca: otherPrint, principals: ["server.example.com", "git.example.com"], validAfter: now - 1e9, validBefore: now + 1e10 } } };
const sshsig: Card = { ...card, user: "", namespace: "git", host: nothing, name: "", known: "NoName", pins: [], knownAs: [], reported: { ...card.reported, program: "git commit", host: "" }, noHostRule: "its content was not shown to this phone", noComputerRule: "its content was not shown to this phone" };
const forwardedSign: Card = { ...sshsig, host: { ...nothing, path: forwarded.host.path } };
const alike = [1, 2, 3, 4].map((n) => ({ ...card, request: `r${n}`, expires: now + 40_000 + n * 1000 }));
const longName: Card = { ...card, user: "deployment-automation", hostName: "[ip-10-24-113-201.eu-central-1.compute.internal.example.com]:2222" };
const changed: Card = { ...card, known: "Mismatch", host: { ...card.host, fingerprint: otherPrint } };
const strange = [{ ...pin, fingerprint: otherPrint, proof: "proved", unix: now }];
const alarm = (c: Card, code: "host_key" | "forwarded" = "host_key"): Screen => ({ view: { ...full, strange, alarms: [{ type: "Alarm", card: c, code, reason: "" }] } });
const pairing = { step: "link", link: "https://phone.example.com/#X", place: { kind: "relay", name: "https://relay.example.com" }, id: "p9", computer: "", words: "", slow: false } as const;
const pairs = (over: Partial<View["pairing"] & object>, air: View["air"] = {}): Screen => ({ view: { ...full, air, pairing: { ...pairing, ...over } }, press: ["wait"] });
const next = { ...full.build, next: "fedcba9876543210" };
const near = { kind: "bluetooth", name: "" } as const;
const air = (name: string, a: Air, up?: boolean): Record<string, Screen> => {
  const by: Channel[] = up === undefined ? [] : [{ kind: "bluetooth", name: bluetooth.nearby, up }];
  return { [`computer-bluetooth-${name}`]: tab("Computers", { air: { p1: a }, channels: { p1: [{ kind: "relay", name: "https://relay.example.com", up: false }, ...by] } }, "laptop") };
};
const unlock = { card: { ...card, expires: now + 50_000 }, rule };
const tab = (name: string, over: Partial<View> = {}, ...more: string[]): Screen => ({ view: { ...full, ...over }, press: [name, ...more] });
const push = (state: Push["state"], over: Partial<View> = {}): Partial<View> => ({ push: { state, why: state === "failed" ? "the push service did not answer within 20 s: is this phone online?" : "" }, ...over });
const homePush = (state: Push["state"], over: Partial<View> = {}): Screen => ({ view: { ...full, ...push(state, over) } });
const settingsPush = (state: Push["state"], over: Partial<View> = {}): Screen => tab("Settings", push(state, over));
const locked: Partial<View> = { computers: [{ ...laptop, locked: now - 20 * 60_000 }, server], rules: [] };
const evil = (name: keyof typeof names): Record<string, Screen> => {
  const view = hostile(names[name]);
  const calm = { ...view, cards: [], ended: [] };
  const odd = view.cards[0] ?? card;
  return {
    [`hostile-card-${name}`]: { view, press: ["wait"] },
    [`hostile-rules-${name}`]: { view, press: ["wait", "Allow for"] },
    [`hostile-home-${name}`]: { view: calm },
    [`hostile-activity-${name}`]: { view: calm, press: ["Activity", "Allowed"] },
    [`hostile-settings-${name}`]: { view: calm, press: ["Settings"] },
    [`hostile-computer-${name}`]: { view: { ...calm, computers: calm.computers.map((c) => ({ ...c, locked: now })) }, press: ["Computers", "locked"] },
    [`hostile-key-${name}`]: { view: calm, press: ["Settings", "Protected by", "Delete this key"], actions: { uses: () => Promise.resolve([{ user: odd.user, host: odd.user, hostKey: "", namespace: "", last: now }, { user: "", host: "", hostKey: "", namespace: odd.user, last: now }]) } },
    [`hostile-hosts-${name}`]: { view: calm, press: ["Settings", "Known hosts"] },
    [`hostile-alarm-${name}`]: { view: { ...calm, alarms: [{ type: "Alarm", card: { ...odd, known: "Mismatch", pins: view.pins }, code: "host_key", reason: odd.user }] } },
    [`hostile-pair-${name}`]: { view: { ...calm, pairing: { ...pairing, step: "words", place: { kind: "relay", name: odd.user }, computer: odd.user, words: `${odd.user} ${odd.user}` } }, press: ["wait"] },
  };
};

export const screens: Record<string, Screen> = {
  loading: { view: { ...empty, phase: "loading" } },
  dead: { view: { ...empty, phase: "dead", why: "panic: bug: answer without a request (core.go:211)" } },
  "dead-storage": { view: { ...empty, phase: "dead", cause: "storage", why: "this phone's storage is full: make room, then start the app again" } },
  "welcome-lost": { view: { ...empty, keys: [], name: "", home: "browser", lost: true } },
  busy: { view: { ...empty, phase: "busy" } },
  welcome: { view: { ...empty, keys: [], home: "browser" } },
  "welcome-pairs": { view: { ...empty, keys: [], pairing } }, "welcome-more": { view: { ...empty, keys: [], pairing }, press: ["Other kinds"] },
  "welcome-noprf": { view: { ...empty, keys: [], name: "Pixel 9" }, press: ["Make a protected key"], actions: { makeKey: () => Promise.reject(new NoPRF("the passkey of this phone cannot lock keys")) } },
  "welcome-nopasskeys": { view: { ...empty, keys: [], name: "Pixel 9" }, actions: { canWrap: () => Promise.resolve(false) } },
  "ios-tab": { view: { ...empty, keys: [], home: "tab" } },
  empty: { view: empty },
  home: { view: full },
  "home-waiting": { view: { ...full, cards: [card, fresh], unlocks: [{ ...unlock, card: { ...card, user: "deploy", request: "r7", expires: now + 50_000 } }], keys: [...full.keys, plainKey] }, press: ["Put aside", "Put aside"] },
  "home-messages": { view: { ...full, messages: [{ id: 1, grave: true, text: "The log was damaged and begun anew.", do: "Look at Activity: entries may be missing.", returns: true }, { id: 2, grave: false, text: "laptop uses this phone now", do: "", returns: false }] } },
  "home-login": { view: { ...full, computers: [laptop], rules: [], log: [] } }, "home-install": { view: { ...full, home: "browser", install: true } },
  "home-push-ask": homePush("ask"), "home-push-home": homePush("home", { home: "tab" }), "home-push-failed": homePush("failed"),
  "home-push-denied": homePush("denied"), "home-push-denied-browser": homePush("denied", { home: "browser" }),
  "settings-push-none": settingsPush("none", { home: "browser" }), "settings-push-home": settingsPush("home", { home: "tab" }), "settings-push-ask": settingsPush("ask"),
  "settings-push-denied": settingsPush("denied"), "settings-push-denied-browser": settingsPush("denied", { home: "browser" }), "settings-push-working": settingsPush("working"),
  "settings-push-on": settingsPush("on", { keys: [...full.keys, plainKey], lockScreen: true }), "settings-push-wrapped": settingsPush("on", { tellRules: true }),
  "settings-push-failed": settingsPush("failed", { lockScreen: true }),
  "home-update": { view: { ...full, build: next } }, "dead-update": { view: { ...empty, phase: "dead", why: "panic: bug: answer without a request (core.go:211)", build: next } },
  "home-update-failed": { view: { ...full, build: next }, press: ["Update"], actions: { update: () => Promise.reject(new Error("this version stays, the new one could not be kept (Quota exceeded)")) } },
  "settings-report": tab("Settings", { troubles: [{ at: now - 9e5, text: "WebSocket of https://relay.example.com/v1 closed (1006)" }, { at: now, text: "the relay says 503: try laptop again" }] }, "Show them"),
  "settings-loose": { ...tab("Settings", { theme: "dark" }), actions: { room: () => Promise.resolve({ ...roomy, kept: false, quota: 4_500_000 }) } },
  "settings-unkept": tab("Settings", { build: { hash: "", next: "", kept: "no", why: "Quota exceeded" } }),
  "key-qr": { view: full, press: ["Code"] },
  "key-line": { view: full, press: ["Show the whole line"] },
  "card-proved": cards(card), "card-first": cards(fresh), "card-renamed": cards(renamed), "card-vouched": cards(vouched), "card-bound": cards(bound), "card-reported": cards(reported), "card-unknown": cards(unknown),
  "card-forwarded": cards(forwarded), "card-cert": cards(cert), "card-sshsig": cards(sshsig), "card-sshsig-forwarded": cards(forwardedSign), "card-alike": cards(...alike), "card-several": cards(card, { ...fresh, request: "r2" }, { ...sshsig, request: "r3" }),
  "card-long": cards(longName), "card-short": cards({ ...card, expires: now + 9000 }), "card-new": { view: { ...full, cards: [card] } },
  "card-at": cards({ ...card, user: "git@github.com" }),
  "card-lookalike": cards({ ...card, user: "r\u043e\u043et" }),
  "card-rules": { view: { ...full, cards: [card] }, press: ["Allow for", "wait"] },
  "card-rules-off": { view: { ...full, cards: [bound] }, press: ["Allow for", "wait"] },
  "card-more": { view: { ...full, cards: alike }, press: ["More", "wait"] },
  "ended-expired": { view: { ...full, cards: [card] }, then: { cards: [], ended: [{ card, why: "expired", took: 0 }] } },
  "ended-cancelled": { view: { ...full, cards: [card] }, then: { cards: [], ended: [{ card, why: "cancelled", took: 0 }] } },
  "ended-failed": { view: { ...full, cards: [card] }, then: { cards: [], ended: [{ card, why: "failed", took: 0 }] } },
  "ended-next": { view: { ...full, cards: [card, fresh] }, then: { cards: [fresh], ended: [{ card, why: "answered", took: 2300 }] } },
  "ended-toasts": { view: { ...full, ended: [{ card, why: "answered", took: 3100 }, { card: fresh, why: "cancelled", took: 0 }] } },
  "alarm-changed": alarm(changed),
  "alarm-trust": { ...alarm(changed), press: ["I know why", "I compared", "wait"] },
  "alarm-newtype": alarm({ ...changed, known: "NewType", host: { ...changed.host, keyType: "ecdsa-sha2-nistp256" } }),
  "alarm-downgraded": alarm({ ...card, known: "Downgraded" }),
  "alarm-forwarded": alarm(forwarded, "forwarded"), "alarm-forwarded-sshsig": alarm(forwardedSign, "forwarded"),
  unlock: { view: { ...full, unlocks: [unlock] }, press: ["wait"] },
  "unlock-once": { view: { ...full, unlocks: [{ card: { ...unlock.card, user: "", namespace: "git", name: "", knownAs: [] }, rule: null }] }, press: ["wait"] },
  "pair-link": pairs({}), "pair-link-sqs": pairs({ place: { kind: "sqs", name: "eu-central-1, account 123456789012" } }), "pair-waiting": pairs({ step: "waiting" }), "pair-slow": pairs({ step: "waiting", slow: true }), "pair-cut": { view: { ...pairs({ step: "waiting", slow: true }).view, channels: { p9: [{ kind: "relay", name: "https://relay.example.com", up: false }] } } },
  "pair-words": pairs({ step: "words", computer: "laptop", words: "VELVET ORBIT" }), "pair-agreed": pairs({ step: "agreed", computer: "laptop", words: "VELVET ORBIT" }),
  "pair-left": { ...pairs({ step: "agreed", computer: "laptop", words: "VELVET ORBIT" }), press: ["Go to Home"] },
  pair: tab("Computers", {}, "I have a link"), scan: tab("Computers", {}, "Scan the code"),
  activity: tab("Activity"), "activity-open": tab("Activity", {}, "git@github.com"), "activity-none": tab("Activity", { log: [] }),
  "activity-years": tab("Activity", { log: years.slice(0, 200) }), "activity-more": tab("Activity", { log: years.slice(0, 200) }, "Show older"),
  "activity-found": { ...tab("Activity", { log: years.slice(0, 200) }), type: ["#find", "node-7. git"] }, "activity-nothing": { ...tab("Activity", { log: years.slice(0, 200) }), type: ["#find", "no such host"] },
  "activity-verified": tab("Activity", {}, "Verify the chain"),
  "activity-broken": { ...tab("Activity", {}, "Verify the chain"), actions: { verifyLog: () => Promise.resolve({ held: 16, first: 1, length: 16, head: "", broken: "log entry 17: the entry before it was changed" }) } },
  computers: tab("Computers", { computers: [laptop, server, { ...laptop, pairing: "p4", name: "new-one", live: false, heard: 0 }], untold: ["old-laptop"] }), "computers-none": tab("Computers", { computers: [] }),
  computer: tab("Computers", { keys: [...full.keys, plainKey, passkey] }, "laptop"), "computer-channels": tab("Computers", { channels: { p1: [{ kind: "relay", name: "https://relay.example.com:8443", up: false }, { kind: "sqs", name: "ap-southeast-2", up: true }] } }, "laptop"),
  ...air("idle", offers(bluetooth.idle)), ...air("nothing", offers(bluetooth.nothing)), ...air("off", offers(bluetooth.off)), ...air("denied", offers(bluetooth.denied)),
  ...air("unused", lacks(bluetooth.unused)), ...air("up", uses(bluetooth.up), true), ...air("down", uses(bluetooth.down), false), ...air("none", lacks(bluetooth.none(true, false))), ...air("ios", lacks(bluetooth.none(true, true))),
  "pair-bluetooth": pairs({ place: near, id: "" }, { "": offers(bluetooth.idle) }), "pair-bluetooth-none": pairs({ place: near, id: "" }, { "": lacks(bluetooth.none(true, false)) }),
  "pair-bluetooth-waiting": pairs({ place: near, step: "waiting" }, { p9: offers(bluetooth.pairing) }), "pair-bluetooth-slow": pairs({ place: near, step: "waiting", slow: true }, { p9: uses(bluetooth.down) }),
  "computers-locked": tab("Computers", locked), "computer-locked": tab("Computers", locked, "laptop"), "computer-lock": tab("Computers", {}, "laptop", "Not me", "wait"), "computer-unlock": tab("Computers", locked, "laptop", "Unlock", "wait"),
  "card-locked": { view: { ...full, cards: [card] }, then: { cards: [], ...locked, ended: [{ card, why: "locked", took: 0 }] } },
  key: tab("Settings", { keys: [...full.keys, plainKey] }, "Pixel 9", "wait"), "key-new": { ...tab("Settings", { keys: [...full.keys, plainKey], computers: [] }, "spare", "wait"), actions: { uses: () => Promise.resolve([]) } },
  "key-delete": tab("Settings", { keys: [...full.keys, plainKey] }, "Pixel 9", "wait", "Delete this key", "wait"), "key-delete-last": tab("Settings", {}, "Pixel 9", "wait", "Delete this key", "I have another way", "wait"),
  unpair: tab("Computers", {}, "laptop", "Unpair", "wait"),
  hosts: tab("Settings", { strange, pins: [pin, nasPin] }, "Known hosts"), forget: tab("Settings", {}, "Known hosts", "Forget server", "wait"),
  "hosts-many": tab("Settings", { pins: Array.from({ length: 4096 }, (_, n) => ({ ...pin, name: `node-${n}.example.com`, fingerprint: `${pin.fingerprint}${n}` })) }, "Known hosts"),
  settings: tab("Settings", { keys: [...full.keys, plainKey] }), "add-key": tab("Settings", {}, "Add a key"),
  ...evil("html"), ...evil("bidi"), ...evil("rtl"), ...evil("zalgo"), ...evil("huge"), ...evil("hugeBidi"),
};
