// Requests and entries of the log, for tests of notifications.
import type { Card, Entry } from "../src/core.d.ts";

export const card = (request: string, more: Partial<Card> = {}): Card => ({
  pairing: "p", request, computer: "laptop", keyName: "default", user: "root", namespace: "", name: "server.example", known: "Match", pins: [], knownAs: [],
  host: { proof: "proved", keyType: "", fingerprint: "f", cert: null, local: true, path: [] },
  reported: { program: "git push", directory: "~/shop", host: "", port: 0, hostKeyAlias: false }, expires: 0, noHostRule: "", noComputerRule: "", ...more,
});
export const entry = (decision: Entry["decision"], unix: number, pairing = "p"): Entry =>
  ({ pairing, decision, unix, user: "root", host: "server.example", computer: "laptop", rule: "r" }) as Entry;

/** plain is text without the marks around what comes from outside. */
export const plain = (text: string): string => text.replace(/[\u2068\u2069]/g, "");
