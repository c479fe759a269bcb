// The files of the worker's own build, kept on the phone.

const page = "/"; // kept last: where it is, all that it needs is
const hashed = /-[0-9a-f]{16}\.[a-z]+$/; // a name that means one content

export class Files {
  #turn: Promise<unknown> = Promise.resolve(); // one after another

  /** name is a cache of this build alone; files are the SHA-256, in base64, of each file by its path. later are those that no start needs. */
  constructor(private readonly name: string, private readonly files: Record<string, string>, private readonly later: string[]) {}

  /** keep fetches what a start needs, unless it is kept. If that fails it rejects with words for people, and keeps nothing. */
  async keep(): Promise<void> {
    const turn = this.#turn.then(() => this.#keep());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** keepLater fetches the rest. */
  async keepLater(): Promise<void> {
    await Promise.all(this.later.map((path) => this.#fetch(path)));
  }

  /** whole reports whether this build is kept. */
  async whole(): Promise<boolean> {
    return has(this.name);
  }

  /** others reports whether another build is kept. */
  async others(): Promise<boolean> {
    return (await Promise.all((await this.#rest()).map(has))).includes(true);
  }

  /** alone drops all other builds. */
  async alone(): Promise<void> {
    await Promise.all((await this.#rest()).map((name) => caches.delete(name)));
  }

  /** answer is undefined for what is no file of this build. */
  answer({ method, url }: Request, origin: string): Promise<Response> | undefined {
    const { origin: at, pathname } = new URL(url);
    return method === "GET" && at === origin && Object.hasOwn(this.files, pathname) ? this.get(pathname) : undefined;
  }

  /**
   * routes let a browser that can find files in a cache do so without starting the
   * worker. They are for what is kept: what is not would come from the server, and
   * nobody would look at its hash.
   */
  routes(): object[] {
    return this.#atStart().map((pathname) => ({ condition: { urlPattern: { pathname, search: "" }, requestMethod: "GET" }, source: { cacheName: this.name } }));
  }

  /** get is a file. What is not kept comes from the server, whichever build that has; under a name with a hash that build's file, or an error. */
  async get(path: string): Promise<Response> {
    return (await caches.match(path, { cacheName: this.name, ignoreVary: true })) ?? fetch(path, hashed.test(path) ? { integrity: this.#sum(path) } : {});
  }

  #sum(path: string): string {
    return `sha256-${this.files[path] ?? ""}`;
  }

  #atStart(): string[] {
    return Object.keys(this.files).filter((path) => !this.later.includes(path));
  }

  async #keep(): Promise<void> {
    if (await this.whole()) return;
    try {
      await Promise.all(this.#atStart().filter((path) => path !== page).map((path) => this.#fetch(path)));
      await this.#fetch(page);
    } catch (err) {
      await caches.delete(this.name); // for who needs the room
      throw err instanceof DOMException && err.name === "QuotaExceededError" ? new Error("no room is left on this phone", { cause: err }) : err;
    }
  }

  // fetch keeps a file if it is that of this build.
  async #fetch(path: string): Promise<void> {
    const cache = await caches.open(this.name);
    if (await cache.match(path, { ignoreVary: true })) return;
    const file = await fetch(path, { integrity: this.#sum(path), redirect: "error", cache: path === page ? "no-cache" : "default" }).catch((err: unknown) => {
      throw new Error(`the server did not send ${path} as this version has it`, { cause: err });
    });
    if (!file.ok) throw new Error(`the server does not have ${path} of this version`);
    await cache.put(path, file);
  }

  async #rest(): Promise<string[]> {
    return (await caches.keys()).filter((name) => name !== this.name);
  }
}

const has = async (cacheName: string): Promise<boolean> => await caches.match(page, { cacheName, ignoreVary: true }) !== undefined;
