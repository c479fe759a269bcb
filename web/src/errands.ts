// What comes to the service worker, for whichever of tabs and worker is the phone.
import type { Base64, Subscribed } from "./core.d.ts";
import type { Notices } from "./notices.ts";
import { Taken } from "./records.ts";
import type { Runner } from "./runner.ts";
import { sleep } from "./wait.ts";

/**
 * push: a computer has woken the phone; the frame may be "". decide: a person
 * has answered a notification. renew: the browser has changed the subscription.
 */
export type Errand =
  | { type: "push"; frame: Base64 }
  | { type: "decide"; pairing: string; request: Base64; allow: boolean }
  | { type: "renew" };

/** A Desk is the phone as it does errands. */
export interface Desk {
  runner: Runner;
  notices: Notices;
  lockScreen: boolean; // notifications may allow
  decided(errand: Errand & { type: "decide" }, went: boolean): void; // went: not taken back
  renew(): Promise<Subscribed | null>;
}

/** perform does an errand; it rejects when the phone could not, or signal ended. */
export async function perform(errand: Errand, { runner, notices, lockScreen, decided, renew }: Desk, signal: AbortSignal): Promise<void> {
  switch (errand.type) {
    case "push":
      return notices.push(async () => {
        if (errand.frame) await runner.post({ type: "Frame", pairing: "", data: errand.frame });
      }, signal);
    case "decide": {
      const { pairing, request, allow } = errand;
      if (allow && !lockScreen) throw new Error("notifications may not allow any more");
      decided(errand, true);
      try {
        await runner.post({ type: "Decide", pairing, request, allow, grant: { scope: "", for: 0, count: 0, closed: false } });
      } catch (err) {
        decided(errand, false);
        throw err;
      }
      notices.sync();
      return notices.settled();
    }
    case "renew": {
      await runner.post({ type: "Tick" }); // the start, before it, says with which key
      const got = await renew();
      if (got) await runner.post(got);
    }
  }
}

type Word = "taken" | "done" | "failed" | "left"; // left: its turn is over
type Message = { id: string; errand: Errand } | { id: string; is: Word };

const channel = "kryptonite errands";
/** How long a tab may need to take an errand, in ms: one that nobody sees may be suspended; one that is starting may not hear for a while. */
export const patience = { hidden: 1_500, seen: 5_000, starting: 15_000 };
const again = 250; // ms: what was said before a tab's turn began was not heard
const does = 15_000;

/** serve does the errands of the worker in a tab that is the phone, until signal ends. */
export function serve(work: (errand: Errand) => Promise<void>, note: (err: unknown) => void, signal: AbortSignal): void {
  const open = new BroadcastChannel(channel);
  const taken = new Map<string, "doing" | "over">();
  signal.addEventListener("abort", () => {
    for (const [id, how] of taken) if (how === "doing") open.postMessage({ id, is: "left" } satisfies Message);
    open.close();
  }, { once: true });
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if (!("errand" in data) || taken.has(data.id)) return;
    const say = (is: Word): void => {
      if (signal.aborted) return;
      taken.set(data.id, is === "taken" ? "doing" : "over");
      open.postMessage({ id: data.id, is } satisfies Message);
    };
    say("taken");
    work(data.errand).then(() => say("done"), (err: unknown) => (note(err), say("failed")));
  };
}

/**
 * hand gives an errand to the tab that is the phone. False if none takes it within ms;
 * it rejects with Taken if the tab's turn ends meanwhile, or if the tab fails, or is
 * not done in 15 s.
 */
export async function hand(errand: Errand, ms: number): Promise<boolean> {
  const open = new BroadcastChannel(channel);
  const id = crypto.randomUUID();
  const heard = { taken: new AbortController(), done: new AbortController(), failed: new AbortController(), left: new AbortController() };
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if ("is" in data && data.id === id) heard[data.is].abort();
  };
  const wait = async (ms: number, signal: AbortSignal): Promise<boolean> => sleep(ms, signal).then(() => false, () => true);
  const say = (): void => open.postMessage({ id, errand } satisfies Message);
  const saying = setInterval(say, again);
  heard.taken.signal.addEventListener("abort", () => clearInterval(saying), { once: true });
  try {
    say();
    if (!(await wait(ms, heard.taken.signal))) return false;
    await wait(does, AbortSignal.any([heard.done.signal, heard.failed.signal, heard.left.signal]));
    if (heard.left.signal.aborted) throw new Taken("the tab is not the phone any more");
    if (!heard.done.signal.aborted) throw new Error("the tab that is the phone did not do it");
    return true;
  } finally {
    clearInterval(saying);
    open.close();
  }
}
