// Which build of the app runs here, whether this phone keeps it, and when there
// is another: that one runs only after the person's word. Not even its service
// worker is started before.
import { type Said, shellChannel } from "./lockname.ts";
import type { Build } from "./ui/view.ts";
import { onWake, unless, within } from "./wait.ts";
import { hashOf, install, newest, register } from "./worker.ts";

const fetches = 240_000; // ms for a whole build
const every = 3_600_000; // ms between looks for another build

export class Shell {
  build: Build = { hash: "", next: "", kept: "unknown", why: "" };
  readonly #channel = new BroadcastChannel(shellChannel);
  readonly #live = new AbortController().signal; // as long as the page
  #looked = -every;
  #begun = false;

  constructor(private readonly changed: () => void, private readonly note: (err: unknown) => void) {}

  /** begin, once, looks whether the build is kept and whether there is another, now and when the page comes back. */
  begin({ serviceWorker }: Navigator): void {
    if (this.#begun || !("serviceWorker" in navigator)) return; // no https
    this.#begun = true;
    this.#set({ hash: hashOf(serviceWorker.controller?.scriptURL) });
    serviceWorker.addEventListener("controllerchange", () => location.reload()); // another tab updated
    const look = (): void => {
      if (performance.now() - this.#looked < every) return;
      this.#looked = performance.now();
      this.#look().catch(this.note);
    };
    look();
    onWake(look, this.#live);
  }

  /** update fetches the next build beside this one, and then runs it. If that fails, this one stays. */
  async update(): Promise<void> {
    const said = this.#hear(this.build.next);
    await install(this.build.next);
    const why = await said;
    if (why) throw new Error(`this version stays, the new one could not be kept (${why})`);
    location.reload();
  }

  async #look(): Promise<void> {
    try {
      const { active } = await register(this.#live);
      const hash = hashOf(active?.scriptURL);
      const said = this.#hear(hash);
      active?.postMessage("keep");
      const why = await said;
      this.#set({ kept: why ? "no" : "yes", why });
      const next = await newest(this.#live);
      this.#set({ next: next === hash ? "" : next });
    } catch (err) {
      if (this.build.kept === "unknown") this.#set({ kept: "no", why: (err as Error).message });
      throw err;
    }
  }

  /** look looks now whether there is another build. */
  async look(): Promise<boolean> {
    this.#looked = performance.now();
    await this.#look().catch((err: unknown) => {
      throw new Error("the server could not be asked for its version: is there a connection?", { cause: err });
    });
    return this.build.next !== "";
  }

  // hear is what the worker of a build says next.
  #hear(hash: string): Promise<string> {
    return unless(within(fetches, this.#live), new Promise((resolve) => this.#channel.addEventListener("message", ({ data }: MessageEvent<Said>) => {
      if (data.hash === hash) resolve(data.why);
    })));
  }

  #set(change: Partial<Build>): void {
    this.build = { ...this.build, ...change };
    this.changed();
  }
}
