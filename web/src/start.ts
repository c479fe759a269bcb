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
  wasm: string; // where the core is
  ask: Ask; // before a key is used that nobody has just asked for
  show(what: Shown): void;
  note(err: unknown): void;
}

const named = "name"; // in settings

/** start needs the lock of this phone, see locks.ts. The runner is not yet running. */
export async function start({ wasm, ask, show, note }: Around, signal: AbortSignal): Promise<Started> {
  const compiled = compile(wasm, signal);
  compiled.catch(() => undefined); // awaited below, when the storage is open
  const db = await Database.open(signal);
  signal.addEventListener("abort", () => db.close(), { once: true });
  const core = await load(await compiled, signal);
  const keyring = await Keyring.open(core, db, ask);
  const log = new LogTail(idbStore(db));
  const saved = await db.get("settings", named);
  let name = typeof saved === "string" && saved ? saved : deviceName();
  core.start({ name, keys: keyring.keys() }, await log.load(signal));
  const runner = new Runner({ core, store: log, signer: keyring, show, log: note }, signal);
  if (keyring.list().length > 0) persist().catch(note);
  const rename = async (to: string): Promise<void> => {
    await db.put("settings", named, to);
    name = to;
  };
  return { core, runner, keyring, log, name: () => name, rename };
}

async function compile(wasm: string, signal: AbortSignal): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compileStreaming(fetch(wasm, { signal }));
  } catch (err) {
    signal.throwIfAborted();
    throw new Error(`The phone's program could not be loaded (${err instanceof Error ? err.message : String(err)}): is there a connection?`, { cause: err });
  }
}
