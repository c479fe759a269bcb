// From nothing to a phone at work: storage, core, keys.
import type { Phone } from "./core.d.ts";
import { Database, persist } from "./idb.ts";
import { Keyring } from "./keyring.ts";
import { LogTail } from "./logtail.ts";
import { deviceName } from "./place.ts";
import { idbStore } from "./records.ts";
import { Runner, type Shown } from "./runner.ts";
import type { Ask } from "./unlocked.ts";
import { load } from "./wasm.ts";

/** Started is a phone at work. */
export interface Started {
  core: Phone;
  runner: Runner;
  keyring: Keyring;
  log: LogTail;
  name(): string; // of this phone
  rename(name: string): Promise<void>; // durably
}

export interface Around {
  wasm: Promise<WebAssembly.Module>; // the core
  ask: Ask; // before a key is used that nobody has just asked for
  show(what: Shown): void;
  note(err: unknown): void;
}

const named = "name"; // in settings

/** start needs the lock of this phone, see locks.ts. The runner is not yet running. */
export async function start({ wasm, ask, show, note }: Around, signal: AbortSignal): Promise<Started> {
  const db = await Database.open(signal);
  signal.addEventListener("abort", () => db.close(), { once: true });
  const log = new LogTail(idbStore(db));
  const kept = db.all("keys");
  const stored = Promise.all([kept, db.get("settings", named), log.load(signal)]); // while the core starts
  stored.catch(() => undefined); // awaited below
  const core = await load(await wasm, signal);
  const [, saved, records] = await stored;
  const keyring = await Keyring.open(core, db, ask, kept);
  let name = typeof saved === "string" && saved ? saved : deviceName();
  core.start({ name, keys: keyring.keys() }, records);
  const runner = new Runner({ core, store: log, signer: keyring, show, log: note }, signal);
  if (keyring.list().length > 0) persist().catch(note);
  const rename = async (to: string): Promise<void> => {
    await db.put("settings", named, to);
    name = to;
  };
  return { core, runner, keyring, log, name: () => name, rename };
}
