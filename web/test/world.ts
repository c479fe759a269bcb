// A page with Bluetooth, its time, and a computer nearby.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Bluetooth } from "../src/ble/gatt.ts";
import type { Radio } from "../src/ble/radio.ts";
import { type Bytes, fromBase64 } from "../src/bytes.ts";
import type { Computer } from "../src/core.d.ts";
import { FakeBluetooth, Peripheral } from "./radio.ts";

export const own = "11111111-1111-8111-8111-111111111111";
export const meeting = "22222222-2222-8222-8222-222222222222";
export const bytes = (uuid: string): string => Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64");
export const laptop: Computer = { pairing: "p", name: "laptop", bluetooth: true, live: true, paired: 0, heard: 0, forward: false, locked: 0 };
export const live = new AbortController().signal;

export interface World {
  radio: Radio;
  browser: FakeBluetooth;
  document: { visibilityState: string } & EventTarget;
  heard: [string, Bytes][];
  came: string[];
  refuse: Set<string>; // frames, in base64, that the store does not take
  computers: Computer[];
  until(what: string, true_: () => boolean): Promise<void>;
  tap(pairing?: string): Promise<void>;
}

// world has a radio, and time that runs while something is awaited.
export async function world(t: TestContext, services = [own], browser: FakeBluetooth | undefined = new FakeBluetooth(), more: object = {}): Promise<World> {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const document = page(browser, more);
  const { Radio } = await import("../src/ble/radio.ts"); // looks for a document when it is loaded
  const end = new AbortController();
  t.after(() => end.abort(new Error("the test is over")));
  const came: string[] = [];
  const [heard, refuse, computers]: [[string, Bytes][], Set<string>, Computer[]] = [[], new Set(), [laptop]];
  const radio = new Radio({
    services: (pairing) => (pairing === "q" ? [meeting] : services),
    computer: (pairing) => computers.find((c) => c.pairing === pairing),
    heard: async (pairing, frame) => {
      if (refuse.delete(frame)) throw new Error("the disk is full");
      heard.push([pairing, fromBase64(frame)]);
    },
    came: (pairing) => came.push(pairing), changed: () => undefined, note: () => undefined,
  }, end.signal);
  for (const s of services) radio.listen(bytes(s), "p");
  const until = async (what: string, true_: () => boolean): Promise<void> => {
    for (let i = 0; i < 4_000; i++) {
      await new Promise((next) => setImmediate(next));
      if (true_()) return;
      if (i % 4 === 3) t.mock.timers.tick(50);
    }
    assert.fail(`not in 50 s: ${what}`);
  };
  const tap = (pairing = "p"): Promise<void> => {
    if (browser) browser.tapped = true;
    return radio.tap(pairing);
  };
  return { radio, came, browser: browser ?? new FakeBluetooth(), document, heard, refuse, computers, until, tap };
}

export const up = ({ radio }: World, pairing = "p"): boolean => radio.channels(pairing)[0]?.up === true;

export async function connected(t: TestContext, services?: string[]): Promise<World & { at: Peripheral }> {
  const w = await world(t, services);
  const at = new Peripheral([own]);
  w.browser.chosen = at;
  await w.tap();
  await w.until("it is up", () => up(w));
  return { ...w, at };
}

/** page is a browser with this Bluetooth, or without any. */
export function page(bluetooth?: Bluetooth, more: object = {}): { visibilityState: string } & EventTarget {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { maxTouchPoints: 0, ...(bluetooth && { bluetooth }), ...more } });
  Object.assign(globalThis, { document, isSecureContext: true });
  return document;
}
