// The service worker: what comes while no page may be open.
import "wasm_exec";
import type { Errand } from "../src/errands.ts";
import { unread } from "../src/notice.ts";
import type { Data } from "../src/notices.ts";
import { Duty } from "./duty.ts";

declare const self: ServiceWorkerGlobalScope;

const kept = `core ${PHONE_WASM}`; // a cache: an old worker may outlive the file that it needs

const duty = new Duty(
  { registration: self.registration, icon: ICON, note: (err) => console.warn(err) },
  async () => (await caches.match(PHONE_WASM)) ?? fetch(PHONE_WASM),
);

self.addEventListener("install", (event) => {
  void self.skipWaiting();
  event.waitUntil(caches.open(kept).then((cache) => cache.add(PHONE_WASM)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((all) => Promise.all(all.filter((name) => name !== kept).map((name) => caches.delete(name)))));
});

self.addEventListener("push", (event) => {
  event.waitUntil(duty.do({ type: "push", frame: event.data?.text() ?? "" }).catch(async (err: unknown) => {
    console.warn(err);
    await self.registration.showNotification(unread.title, { body: unread.body, tag: "unread", icon: ICON, data: { pairing: "", requests: [] } satisfies Data });
  }));
});

self.addEventListener("notificationclick", (event) => {
  const { action, notification } = event;
  const { pairing, requests } = notification.data as Data;
  notification.close();
  if (action === "") return event.waitUntil(open());
  const errand: Errand = { type: "decide", pairing, requests, allow: action === "allow" };
  event.waitUntil(duty.do(errand).catch((err: unknown) => (console.warn(err), open())));
});

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(duty.do({ type: "renew" }).catch((err: unknown) => console.warn(err)));
});

// open shows the app: what waits is on its screen.
async function open(): Promise<void> {
  const [tab] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  await (tab ? tab.focus() : self.clients.openWindow("/"));
}
