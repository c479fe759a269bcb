// From nothing to a phone at work: storage, core, keys.
import type { Base64, Phone, Subscribed } from "./core.d.ts";
import { deviceName } from "./device.ts";
import type { Nearby } from "./ears.ts";
import { Database } from "./idb.ts";
import type { Kept } from "./kept.ts";
import type { Signer } from "./key.ts";
import { LogTail } from "./logtail.ts";
import { idbStore } from "./records.ts";
import { Runner, type Shown } from "./runner.ts";
import { load } from "./wasm.ts";

/** Started is a phone at work, whose keys are a K. */
export interface Started<K extends Signer> {
  core: Phone;
  runner: Runner;
  keys: K;
  db: Database;
  log: LogTail;
  name(): string; // of this phone
  rename(name: string): Promise<void>; // durably
}

export interface Around<K extends Signer> {
  wasm: Promise<WebAssembly.Module>; // the core
  keys(core: Phone, db: Database, kept: Kept[]): K;
  show(what: Shown): void;
  subscribe(vapid: Base64, signal: AbortSignal): Promise<Subscribed | null>;
  nearby?: Nearby;
  changed(): void; // a channel works, or does not any more
  note(err: unknown): void;
}

const named = "name"; // in settings
const bluetooth = "bluetooth";

/** start needs the lock of this phone, see locks.ts. The runner is not yet running; the database is closed when signal ends. */
export async function start<K extends Signer>({ wasm, keys: open, show, subscribe, nearby, changed, note }: Around<K>, signal: AbortSignal): Promise<Started<K>> {
  const db = await Database.open(signal);
  signal.addEventListener("abort", () => db.close(), { once: true });
  const log = new LogTail(idbStore(db));
  const stored = Promise.all([db.all("keys"), db.get("settings", named), log.load(signal), hasBluetooth(db)]); // while the core starts
  stored.catch(() => undefined); // awaited below
  const core = await load(await wasm, signal);
  const [kept, saved, records, has] = await stored;
  const keys = open(core, db, kept as Kept[]);
  let name = typeof saved === "string" && saved ? saved : await deviceName(navigator);
  core.start({ name, keys: keys.keys(), bluetooth: has }, records);
  const runner = new Runner({ core, store: log, signer: keys, show, subscribe, nearby, changed, log: note }, signal);
  const rename = async (to: string): Promise<void> => {
    await db.put("settings", named, to);
    name = to;
  };
  return { core, runner, keys, db, log, name: () => name, rename };
}

// hasBluetooth is whether pages of this browser have it. A worker has not, and asks what a page found.
async function hasBluetooth(db: Database): Promise<boolean> {
  const before = await db.get("settings", bluetooth);
  if (!("document" in globalThis)) return before === true;
  const has = bluetooth in navigator;
  if (has !== before) await db.put("settings", bluetooth, has);
  return has;
}
