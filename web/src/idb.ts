// The browser's database: the core's records, the keys, this phone's settings.
import { within } from "./wait.ts";

/** Tables: records are the core's; keys the keyring's, by fingerprint; settings by name. */
export type Table = "records" | "keys" | "settings";

const version = 1; // of the tables
const openLimit = 10_000; // ms; some browsers never answer

/** NoStore says that the browser does not keep what it should. Nothing of the step that met it was kept. */
export class NoStore extends Error {}

/** A Database is open until closed aborts, whose reason is for people. */
export class Database {
  readonly #db: IDBDatabase;
  readonly #closed = new AbortController();

  private constructor(db: IDBDatabase) {
    this.#db = db;
    const end = (why: Error) => (): void => {
      db.close();
      this.#closed.abort(why);
    };
    db.onclose = end(new NoStore("the browser has taken this app's storage away; what was in it may be lost"));
    db.onversionchange = end(new Error("a newer version of this app runs in another tab, or its data are being deleted"));
  }

  static async open(signal: AbortSignal, name = "kryptonite"): Promise<Database> {
    const limit = within(openLimit, signal);
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const asked = indexedDB.open(name, version);
      let blocked = false;
      limit.addEventListener("abort", () => {
        asked.onsuccess = () => asked.result.close(); // too late
        reject(signal.aborted ? signal.reason : new Error(blocked
          ? "an older version of this app is open in another tab: close it and try again"
          : "the browser does not open this app's storage: close the app and start it again"));
      }, { once: true });
      asked.onblocked = () => (blocked = true);
      asked.onupgradeneeded = () => upgrade(asked.result);
      asked.onsuccess = () => resolve(new Database(asked.result));
      asked.onerror = () => reject(explain(asked.error));
    });
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  close(): void {
    this.#db.close();
    this.#closed.abort(new Error("this app's storage was closed"));
  }

  /**
   * change does what work wants in one transaction, of which all becomes
   * durable, or nothing. Resolves to what work returned once it is.
   */
  async change<T>(tables: Table[], work: (table: (name: Table) => IDBObjectStore, stop: (why: Error) => void) => T): Promise<T> {
    return this.#transaction(tables, "readwrite", work);
  }

  /** all is what a table holds. */
  async all(table: Table): Promise<unknown[]> {
    return (await this.#transaction([table], "readonly", (t) => t(table).getAll())).result as unknown[];
  }

  /** under is what a table holds under keys that begin with a prefix, by key, in their order. */
  async under(table: Table, prefix: string): Promise<[IDBValidKey, unknown][]> {
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const [keys, values] = await this.#transaction([table], "readonly", (t) => [t(table).getAllKeys(range), t(table).getAll(range)] as const);
    return keys.result.map((key, i) => [key, values.result[i]]);
  }

  async get(table: Table, key: string): Promise<unknown> {
    return (await this.#transaction([table], "readonly", (t) => t(table).get(key))).result as unknown;
  }

  async put(table: Table, key: string, value: unknown): Promise<void> {
    await this.change([table], (t) => void t(table).put(value, key));
  }

  async #transaction<T>(tables: Table[], mode: IDBTransactionMode, work: (table: (name: Table) => IDBObjectStore, stop: (why: Error) => void) => T): Promise<T> {
    this.closed.throwIfAborted();
    return new Promise((resolve, reject) => {
      let made: T;
      let why: unknown;
      const tx = this.#db.transaction(tables, mode, { durability: "strict" });
      const stop = (err: unknown): void => {
        why = err;
        tx.abort();
      };
      tx.oncomplete = () => resolve(made);
      tx.onabort = () => reject(why ?? (this.closed.aborted ? this.closed.reason : explain(tx.error)));
      try {
        made = work((name) => tx.objectStore(name), stop);
      } catch (err) {
        stop(err);
      }
    });
  }
}

function upgrade(db: IDBDatabase): void {
  for (const name of ["records", "keys", "settings"] satisfies Table[]) db.createObjectStore(name);
}

function explain(err: DOMException | null): Error {
  switch (err?.name) {
    case "QuotaExceededError": return new NoStore("this phone's storage is full: make room, then start the app again", { cause: err });
    case "VersionError": return new Error("this app's data are of a newer version: reload the app", { cause: err });
    default: return new NoStore(`the browser cannot use this app's storage (${err?.name ?? "no reason given"})`, { cause: err });
  }
}
