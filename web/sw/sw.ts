// The service worker: what comes while no page may be open.
import "wasm_exec";
import type { Errand } from "../src/errands.ts";
import { unread } from "../src/notice.ts";
import { dataOf, Shelf } from "../src/shelf.ts";
import { Duty } from "./duty.ts";

declare const self: ServiceWorkerGlobalScope;

const kept = `core ${PHONE_WASM}`; // a cache: an old worker may outlive the file that it needs
const early = 1_000; // ms: who taps on Allow so soon has tapped on what was there before

const note = (err: unknown): void => console.warn(err);
const duty = new Duty({ registration: self.registration, icon: ICON, note }, async () => (await caches.match(PHONE_WASM)) ?? fetch(PHONE_WASM));

self.addEventListener("install", (event) => {
  void self.skipWaiting();
  event.waitUntil(caches.open(kept).then((cache) => cache.add(PHONE_WASM)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((all) => Promise.all(all.filter((name) => name !== kept).map((name) => caches.delete(name)))));
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

// failed says that there is something to see: it could not be read, or not be answered.
async function failed(err: unknown): Promise<void> {
  note(err);
  await new Shelf(self.registration, ICON).put("", unread, true);
}

// open shows the app: what waits is on its screen.
async function open(): Promise<void> {
  const [tab] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  await (tab ? tab.focus() : self.clients.openWindow("/"));
}
