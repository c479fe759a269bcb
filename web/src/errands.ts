// What comes to the service worker, for whichever of tabs and worker is the phone.
import type { Base64, Subscribed } from "./core.d.ts";
import type { Notices } from "./notices.ts";
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

type Message = { id: string; errand: Errand } | { id: string; is: "taken" | "done" | "failed" };

const channel = "kryptonite errands";
const takes = 1_500; // ms for a tab to take an errand: one that is suspended does not
const does = 15_000;

/** serve does the errands of the worker in a tab that is the phone, until signal ends. */
export function serve(work: (errand: Errand) => Promise<void>, note: (err: unknown) => void, signal: AbortSignal): void {
  const open = new BroadcastChannel(channel);
  signal.addEventListener("abort", () => open.close(), { once: true });
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if (!("errand" in data)) return;
    const say = (is: "taken" | "done" | "failed"): void => {
      if (!signal.aborted) open.postMessage({ id: data.id, is } satisfies Message);
    };
    say("taken");
    work(data.errand).then(() => say("done"), (err: unknown) => (note(err), say("failed")));
  };
}

/** hand gives an errand to the tab that is the phone. False if none takes it; it rejects if the tab fails, or is not done in 15 s. */
export async function hand(errand: Errand): Promise<boolean> {
  const open = new BroadcastChannel(channel);
  const id = crypto.randomUUID();
  const heard = { taken: new AbortController(), done: new AbortController(), failed: new AbortController() };
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if ("is" in data && data.id === id) heard[data.is].abort();
  };
  const wait = async (ms: number, signal: AbortSignal): Promise<boolean> => sleep(ms, signal).then(() => false, () => true);
  try {
    open.postMessage({ id, errand } satisfies Message);
    if (!(await wait(takes, heard.taken.signal))) return false;
    await wait(does, AbortSignal.any([heard.done.signal, heard.failed.signal]));
    if (!heard.done.signal.aborted) throw new Error("the tab that is the phone did not do it");
    return true;
  } finally {
    open.close();
  }
}
