// What comes to the service worker, for whichever of tabs and worker is the phone.
import type { Base64 } from "./core.d.ts";
import { sleep } from "./wait.ts";

/**
 * push: a computer has woken the phone; the frame may be "". decide: a person
 * has answered a notification. renew: the browser has changed the subscription.
 */
export type Errand =
  | { type: "push"; frame: Base64 }
  | { type: "decide"; pairing: string; requests: Base64[]; allow: boolean }
  | { type: "renew" };

type Message = { id: string; errand: Errand } | { id: string; is: "taken" | "done" };

const channel = "kryptonite errands";
const takes = 1_500; // ms for a tab to take an errand: one that is suspended does not
const does = 15_000;

/** serve does the errands of the worker in a tab that is the phone, until signal ends. */
export function serve(work: (errand: Errand) => Promise<void>, note: (err: unknown) => void, signal: AbortSignal): void {
  const open = new BroadcastChannel(channel);
  signal.addEventListener("abort", () => open.close(), { once: true });
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if (!("errand" in data)) return;
    const say = (is: "taken" | "done"): void => {
      if (!signal.aborted) open.postMessage({ id: data.id, is } satisfies Message);
    };
    say("taken");
    void work(data.errand).catch(note).finally(() => say("done"));
  };
}

/** hand gives an errand to the tab that is the phone, and waits until it is done; false if none takes it. */
export async function hand(errand: Errand): Promise<boolean> {
  const open = new BroadcastChannel(channel);
  const id = crypto.randomUUID();
  const heard = { taken: new AbortController(), done: new AbortController() };
  open.onmessage = ({ data }: MessageEvent<Message>) => {
    if ("is" in data && data.id === id) heard[data.is].abort();
  };
  const wait = async (ms: number, what: AbortController): Promise<boolean> => sleep(ms, what.signal).then(() => false, () => true);
  try {
    open.postMessage({ id, errand } satisfies Message);
    if (!(await wait(takes, heard.taken))) return false;
    await wait(does, heard.done);
    return true;
  } finally {
    open.close();
  }
}
