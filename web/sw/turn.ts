// The worker is the phone only while no tab is.
import { phoneLock, workerLock } from "../src/lockname.ts";
import { Taken } from "../src/records.ts";

/**
 * takeTurn works if the phone is free, or by force; then it resolves to true.
 * The signal of work ends when a tab wants to be the phone.
 */
export async function takeTurn(force: boolean, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const letGo = new AbortController();
  const channel = new BroadcastChannel(phoneLock);
  channel.onmessage = () => letGo.abort(new Taken("a tab is the phone now"));
  try {
    return await navigator.locks.request(workerLock, () => navigator.locks.request(phoneLock, force ? { steal: true } : { ifAvailable: true }, async (lock) => {
      if (lock) await work(letGo.signal);
      return lock !== null;
    }));
  } catch (err) {
    throw err instanceof DOMException && err.name === "AbortError" ? new Taken("a tab took the phone") : err;
  } finally {
    letGo.abort(new Taken("the turn is over"));
    channel.close();
  }
}
