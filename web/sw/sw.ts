// The service worker: what comes while no page may be open, and the app without its server.
import "wasm_exec";
import type { Errand } from "../src/errands.ts";
import { type Said, shellChannel } from "../src/lockname.ts";
import { unread } from "../src/notice.ts";
import { dataOf, Shelf } from "../src/shelf.ts";
import { compile } from "../src/wasm.ts";
import { hashOf } from "../src/worker.ts";
import { Duty } from "./duty.ts";
import { Files } from "./files.ts";
import { Shift } from "./shift.ts";

declare const self: ServiceWorkerGlobalScope;

const hash = hashOf(self.location.pathname);
const files = new Files(`build ${hash}`, FILES, [QR_WASM]);
const early = 1_000; // ms: who taps on Allow so soon has tapped on what was there before

type Routed = ExtendableEvent & { addRoutes?(rules: object[]): Promise<void> };

const note = (err: unknown): void => console.warn(err);
let core: Promise<WebAssembly.Module> | undefined; // compiled once, for all shifts
const compiled = (): Promise<WebAssembly.Module> => core ??= compile(files.get(PHONE_WASM), new AbortController().signal).catch((err: unknown) => {
  core = undefined;
  throw err;
});
const duty = new Duty((signal) => new Shift({ registration: self.registration, icon: ICON, note, wasm: compiled() }, signal), async () => (await tabs()).some((t) => t.visibilityState === "visible"));

// It is installed after the person's word only. A build that cannot be kept does not replace one that is.
self.addEventListener("install", (event) => {
  void self.skipWaiting();
  event.waitUntil(files.keep().then(() => (event as Routed).addRoutes?.(files.routes()).catch(note), async (err: unknown) => {
    say(err);
    if (await files.others()) throw err;
  }));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(files.alone().then(() => files.whole()).then((whole) => whole && say("")));
});

self.addEventListener("fetch", (event) => {
  const answer = files.answer(event.request, self.location.origin);
  if (answer) event.respondWith(answer);
});

// A page wants the build to be kept.
self.addEventListener("message", (event) => {
  event.waitUntil(files.keep().then(() => (say(""), files.keepLater()), say).catch(note));
});

self.addEventListener("push", (event) => {
  event.waitUntil(duty.do({ type: "push", frame: event.data?.text() ?? "" }).catch(failed));
});

self.addEventListener("notificationclick", (event) => {
  const { action, notification } = event;
  const { pairing, requests: [request], at } = dataOf(notification);
  if (!request || action === "" || (action === "allow" && Date.now() - at < early)) {
    notification.close();
    return event.waitUntil(open().catch(note));
  }
  const errand: Errand = { type: "decide", pairing, request, allow: action === "allow" };
  event.waitUntil(duty.do(errand).catch(failed));
});

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(duty.do({ type: "renew" }).catch(note));
});

// say tells pages why the build is not kept, "" if it is.
function say(why: unknown): void {
  const channel = new BroadcastChannel(shellChannel);
  channel.postMessage({ hash, why: why instanceof Error ? why.message : (why as string) } satisfies Said);
  channel.close();
}

// failed says that there is something to see: it could not be read, or not be answered.
async function failed(err: unknown): Promise<void> {
  note(err);
  await new Shelf(self.registration, ICON).put("", unread, true);
}

const tabs = (): Promise<readonly WindowClient[]> => self.clients.matchAll({ type: "window", includeUncontrolled: true });

// open shows the app: what waits is on its screen.
async function open(): Promise<void> {
  const [tab] = await tabs();
  await (tab ? tab.focus() : self.clients.openWindow("/"));
}
