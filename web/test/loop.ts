// A runner whose core and store do what a test says, and which tells what happened in which order.
import type { Effect, Event } from "../src/core.d.ts";
import { Runner } from "../src/runner.ts";
import type { Store } from "../src/store.ts";
import { card } from "./cards.ts";
import { fakePhone, fakeRelay, fakeSigner, json } from "./fakes.ts";

export const sign: Effect = { type: "Sign", pairing: "p", request: "r", fingerprint: "f", payload: "AAAA", expires: Date.now() + 60_000, card: card("r"), rule: "", wrap: "", renew: false, unwrap: "", wrapped: "" };
export const send: Effect = { type: "Send", pairing: "p", to: [{ relay: { origin: "https://r.example", mailbox: "AAAA" }, sqs: null, bluetooth: null }, { relay: null, sqs: null, bluetooth: null }], frame: "AAAA", farewell: true };
export const listen: Effect & { type: "Listen" } = { type: "Listen", pairing: "p", origin: "https://r.example", seed: "AAAA", new: true, sqs: null, bluetooth: null };
export const put = (key: string): Effect => ({ type: "Store", key, value: "AAAA" });
export const unpair: Event = { type: "Unpair", pairing: "p" };

export function house(handle: (event: Event) => Effect[], commit: Store["commit"], signer = fakeSigner(() => "sig"), relay?: (url: string) => Response | Promise<Response>) {
  const done: string[] = [];
  const end = new AbortController();
  fakeRelay(({ url }) => relay?.(url) ?? (done.push("sent"), json(202, {})));
  const store: Store = { load: async () => ({}), commit: async (changes, signal) => {
    await commit(changes, signal);
    done.push(`stored ${changes.map((c) => c.key).join()}`);
  } };
  const core = fakePhone((event) => (done.push(event.type), handle(event)));
  const runner = new Runner({ core, store, signer, show: (s) => done.push(`shown ${s.type}`), log: () => undefined }, end.signal);
  return { done, end, runner, running: runner.run() };
}
