// The browser's push subscription, by which computers wake this phone.
// docs/protocol.md 5.6; W3C Push API.
import type { Base64, Subscribed } from "./core.d.ts";
import { fromBase64, toBase64 } from "./bytes.ts";
import { unless, within } from "./wait.ts";

const limit = 20_000; // ms; some browsers never answer

/**
 * subscribe subscribes with a VAPID public key, or finds that it is; "" ends
 * the subscription. Where the person has not allowed notifications there is
 * none. It rejects when the browser's push service fails, or does not answer
 * in 20 s: then it is not known whether there is one.
 */
export async function subscribe(manager: PushManager, vapid: Base64, signal: AbortSignal): Promise<Subscribed> {
  return unless(within(limit, signal), subscribed(manager, vapid)).catch((err: unknown) => {
    signal.throwIfAborted();
    if (err instanceof DOMException && err.name === "TimeoutError") throw new Error("the browser's push service does not answer", { cause: err });
    throw new Error(`the browser's push service refuses (${err instanceof Error ? err.message : String(err)})`, { cause: err });
  });
}

async function subscribed(manager: PushManager, vapid: Base64): Promise<Subscribed> {
  const none: Subscribed = { type: "Subscribed", vapid, endpoint: "", p256dh: "", auth: "" };
  let found = await manager.getSubscription();
  const key = found?.options.applicationServerKey;
  if (found && (!vapid || !key || toBase64(new Uint8Array(key)) !== vapid)) {
    await found.unsubscribe();
    found = null;
  }
  const options = { userVisibleOnly: true, applicationServerKey: fromBase64(vapid) };
  if (!vapid || (await manager.permissionState(options)) !== "granted") return none;
  found ??= await manager.subscribe(options);
  const [p256dh, auth] = [found.getKey("p256dh"), found.getKey("auth")];
  if (!p256dh || !auth) throw new Error("it has no keys");
  return { ...none, endpoint: found.endpoint, p256dh: toBase64(new Uint8Array(p256dh)), auth: toBase64(new Uint8Array(auth)) };
}
