// Views as the gallery shows them, and Actions that note what was called.
import type { Card, Computer, Millis, Pin, Rule, Use } from "../src/core.d.ts";
import type { Entry } from "../src/entry.ts";
import type { Key } from "../src/kept.ts";
import { bluetooth } from "../src/text/bluetooth.en.ts";
import type { Room } from "../src/ui/care.ts";
import type { Actions, Air, View } from "../src/ui/view.ts";

/** now never moves, so that pictures are the same each time. */
export const now: Millis = Date.UTC(2026, 10, 24, 14, 4, 8);
const minute = 60_000;
const hour = 60 * minute;
const may = Date.UTC(2026, 4, 3, 9, 12);

const print = "SHA256:uNiVztksCsDhcc0u9e8BrQa3mBfcCKqqd7oYgHLnZ0Y";
export const otherPrint = "SHA256:p2QAMXNIC1TJYWeIOttrVc98_R1BUFWu3_LiyKgUfQM";
const keyPrint = "SHA256:mVPwvezndPv_ARoIadVY98vAC0g-P_5633yTC4d_wXE";

export const key: Key = {
  kind: "wrapped", name: "Pixel 9", publicKey: "AAAA", fingerprint: keyPrint, created: may,
  line: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl Pixel 9",
};
export const plainKey: Key = { ...key, kind: "plain", name: "spare", fingerprint: otherPrint };
export const passkey: Key = { ...key, kind: "passkey", name: "git only", fingerprint: `${keyPrint}x` };

export const laptop: Computer = { pairing: "p1", name: "laptop", bluetooth: true, live: true, paired: may, heard: now - 2 * minute, forward: false, locked: 0 };
export const server: Computer = { pairing: "p2", name: "build-server", bluetooth: false, live: true, paired: may, heard: now - 26 * hour, forward: true, locked: 0 };

export const pin: Pin = { name: "server.example.com", scope: "", keyType: "ssh-ed25519", fingerprint: print, unix: may, by: "laptop", proof: "proved", hostbound: true };
export const nasPin: Pin = { name: "[nas.local]:2222", scope: "p1", keyType: "ecdsa-sha2-nistp256", fingerprint: otherPrint, unix: may, by: "laptop", proof: "vouched", hostbound: false };

export const card: Card = {
  pairing: "p1", request: "r1", computer: "laptop", keyName: "Pixel 9", user: "root", namespace: "",
  host: { proof: "proved", keyType: "ssh-ed25519", fingerprint: print, cert: null, local: true, path: [] },
  reported: { program: "git push", directory: "~/shop", remote: "server.example.com/shop", branch: "main", host: "server.example.com", port: 22, hostKeyAlias: false },
  expires: now + 42_000, name: "server.example.com", known: "Match", pins: [pin], knownAs: ["server.example.com"], hostName: "server.example.com", called: "",
  noHostRule: "", noComputerRule: "",
};

export const rule: Rule = {
  id: "rule1", scope: "host", pairing: "p1", key: keyPrint, user: "root", hostKey: print, name: "server.example.com",
  since: now - hour, until: now + 96 * minute, left: 7, counted: true, closed: false,
};

export const entry: Entry = {
  seq: 7, unix: now - 4 * minute, pairing: "p1", computer: "laptop", request: "r0", decision: "allowed", reason: "", program: "bash > git push > ssh",
  key: keyPrint, user: "root", namespace: "", host: "server.example.com", hostKey: print, proof: "proved", rule: "",
};

export const log: Entry[] = [
  entry,
  { ...entry, seq: 6, unix: now - 31 * minute, rule: "rule1" },
  { ...entry, seq: 5, unix: now - 2 * hour, decision: "refused", user: "git", host: "github.com", reason: "github.com shows the host key SHA256:p2QA… (ssh-ed25519); pinned on the phone since 3 May 2026 is SHA256:uNiV… (ssh-ed25519)" },
  { ...entry, seq: 4, unix: now - 3 * hour, decision: "rejected", user: "deploy", host: "[nas.local]:2222", proof: "vouched" },
  { ...entry, seq: 3, unix: now - 26 * hour, decision: "expired", computer: "build-server", pairing: "p2" },
  { ...entry, seq: 2, unix: now - 27 * hour, namespace: "git", user: "", host: "", hostKey: "", proof: "" },
  { ...entry, seq: 1, unix: now - 80 * hour, decision: "damaged", computer: "", user: "", host: "", hostKey: "", proof: "", key: "", reason: "entry 34 does not follow 33; 34 entries were set aside" },
];

/** years is a full log. */
export const years: Entry[] = Array.from({ length: 10_000 }, (_, i) => {
  const [seq, old] = [10_000 - i, i < 41 ? i * 3 * hour : (41 + (i - 41) * 2.6) * 3 * hour];
  const decision = i % 17 === 5 ? "rejected" : i % 41 === 7 ? "refused" : "allowed";
  const [computer, pairing] = i % 3 === 1 ? ["build-server", "p2"] : ["laptop", "p1"];
  return { ...entry, seq, unix: now - 5 * minute - old, decision, computer, pairing, user: i % 5 ? "root" : "deploy", host: `node-${i % 50}.example.com`, program: i % 3 ? "ssh" : "git push" };
});

export const roomy: Room = { kept: true, used: 4_300_000, quota: 5.8e9 };

export const empty: View = {
  phase: "ready", why: "", name: "Pixel 9", home: "installed", keys: [key], computers: [], channels: {}, air: {}, untold: [], pairing: null, cards: [], ended: [], alarms: [],
  unlocks: [], rules: [], pins: [], strange: [], log: [], messages: [], push: { state: "on", why: "" }, lockScreen: false, tellRules: false, putOff: [], install: false, build: { hash: "0123456789abcdef", next: "", kept: "yes", why: "" }, cause: "app", theme: "system", lost: false, troubles: [],
};

const relay = { kind: "relay", name: "https://relay.example.com", up: true } as const;

/** offers is Bluetooth that can be used, whatever it says. */
export const offers = (says: string): Air => ({ can: true, on: false, says, tap: bluetooth.connect });
export const uses = (says: string): Air => ({ can: true, on: true, says, tap: bluetooth.end });
export const lacks = (says: string): Air => ({ can: false, on: false, says, tap: "" });

export const full: View = { ...empty, computers: [laptop, server], channels: { p1: [relay], p2: [relay] }, air: { p1: offers(bluetooth.idle), p2: lacks(bluetooth.unused) }, pins: [pin, nasPin], rules: [rule], log };

export const used: Use[] = [
  { user: "root", host: "server.example.com", hostKey: print, namespace: "", last: now - hour },
  { user: "git", host: "github.com", hostKey: print, namespace: "", last: may },
  { user: "", host: "", hostKey: "", namespace: "git", last: may },
  { user: "ana", host: "", hostKey: otherPrint, namespace: "", last: may },
];

/** actions note each call in calls, and do nothing. */
export function actions(calls: unknown[][], over: Partial<Actions>): Actions {
  const note = (name: string) => (...args: unknown[]): Promise<void> => {
    calls.push([name, ...args]);
    return Promise.resolve();
  };
  const sync = (name: string) => (...args: unknown[]): void => void calls.push([name, ...args]);
  return {
    makeKey: note("makeKey"), canWrap: () => Promise.resolve(true), rename: note("rename"), openLink: note("openLink"),
    scan: (_video, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    pair: note("pair"), confirm: note("confirm"), dropLink: sync("dropLink"), decide: note("decide"), unlock: note("unlock"),
    refuseUnlock: note("refuseUnlock"), unpair: note("unpair"), revoke: note("revoke"), forgetHost: note("forgetHost"), trustHost: note("trustHost"),
    forward: note("forward"), see: note("see"), bluetooth: note("bluetooth"), ring: note("ring"), setLockScreen: note("setLockScreen"), setTellRules: note("setTellRules"), putOff: note("putOff"), install: note("install"),
    nameComputer: note("nameComputer"), lock: note("lock"), renameKey: note("renameKey"), deleteKey: note("deleteKey"), uses: () => Promise.resolve(used),
    sees: (_pairing, fingerprint) => fingerprint === key.fingerprint,
    qr: () => Promise.resolve(fakeCode(29)), share: note("share"), copy: note("copy"), acknowledge: note("acknowledge"), dismiss: sync("dismiss"), update: note("update"), restart: sync("restart"), look: () => Promise.resolve(false),
    history: () => Promise.resolve(years), verifyLog: () => Promise.resolve({ held: 41, first: 1, length: 41, head: "3f2a90c4d1e85b77".repeat(4), broken: "" }), exportLog: note("exportLog"),
    room: () => Promise.resolve(roomy), keepRoom: () => Promise.resolve(roomy), setTheme: sync("setTheme"),
    ...over,
  };
}

// Looks like a QR code, and says nothing.
function fakeCode(size: number): string[] {
  const corner = (x: number, y: number): boolean | undefined => {
    const near = (v: number): number => (v < 8 ? v : v > size - 9 ? size - 1 - v : -1);
    const [a, b] = [near(x), near(y)];
    if (a < 0 || b < 0 || (x > size - 9 && y > size - 9)) return undefined;
    const ring = Math.max(Math.abs(a - 3), Math.abs(b - 3));
    return ring !== 2 && ring < 4;
  };
  return Array.from({ length: size }, (_r, y) => Array.from({ length: size }, (_c, x) => ((corner(x, y) ?? (x * 7 + y * 13 + x * y) % 3 === 0) ? "#" : " ")).join(""));
}
