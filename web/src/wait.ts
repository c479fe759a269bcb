// Waiting, under a signal.

/** sleep resolves after ms, or rejects with the signal's reason. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const ended = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", ended);
      resolve();
    }, ms);
    signal.addEventListener("abort", ended, { once: true });
  });
}

/** unless is the outcome of work, or the signal's reason if that comes first. */
export function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(signal.reason);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", ended));
    if (signal.aborted) ended();
    else signal.addEventListener("abort", ended, { once: true });
  });
}

/** within is a signal that ends with the given one, or after ms. */
export function within(ms: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}

/** jitter is ms, give or take a quarter, so that many phones do not come at once. */
export function jitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}

// A worker has no document, and Node no events: it never sleeps.
const { document, addEventListener } = globalThis as {
  document?: EventTarget & { visibilityState: string };
  addEventListener?: typeof globalThis.addEventListener;
};

/** onWake calls f whenever the page comes back, to the person or to the network. */
export function onWake(f: () => void, signal: AbortSignal): void {
  document?.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") f();
  }, { signal });
  document?.addEventListener("resume", f, { signal });
  addEventListener?.("online", f, { signal });
}

const leastNap = 250; // ms, however often the page wakes

/** nap is a sleep that ends early when the page comes back. */
export async function nap(ms: number, signal: AbortSignal): Promise<void> {
  const awake = new AbortController();
  onWake(() => awake.abort(), AbortSignal.any([signal, awake.signal]));
  try {
    await sleep(Math.min(ms, leastNap), signal);
    if (ms > leastNap) await sleep(ms - leastNap, AbortSignal.any([signal, awake.signal])).catch(() => signal.throwIfAborted());
  } finally {
    awake.abort();
  }
}
