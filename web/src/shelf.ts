// Where notifications are shown: one for each computer.
import type { Base64, Millis } from "./core.d.ts";
import type { Notice } from "./notice.ts";
import { notices as words } from "./text/notices.en.ts";

export type Registration = Pick<ServiceWorkerRegistration, "showNotification" | "getNotifications">;

/** Data is what a notification knows. */
export interface Data {
  pairing: string;
  requests: Base64[]; // that it asks about
  at: Millis; // since when
  alarm: string; // title of what was refused because of its host, said until people have seen it
}

/** dataOf is what a notification knows; a browser's own knows nothing. */
export function dataOf({ data }: Pick<Notification, "data">): Data {
  return (data as Data | null) ?? { pairing: "", requests: [], at: 0, alarm: "" };
}

export class Shelf {
  count = 0; // how many were put

  constructor(private readonly registration: Registration, private readonly icon: string) {}

  /** put shows a notice in the place of the computer's, with a sound or without. An alarm stays among what comes after it. */
  async put(pairing: string, notice: Notice, rings: boolean, alarm = ""): Promise<void> {
    const { requests } = notice;
    const before = (await this.open(pairing)).map(dataOf)[0];
    const same = before && requests.length > 0 && requests.every((r) => before.requests.includes(r));
    const data: Data = { pairing, requests, at: same ? before.at : Date.now(), alarm: alarm || (before?.alarm ?? "") };
    await this.#show(`computer ${pairing}`, notice, rings, data);
  }

  /** flash shows a notice beside all others and takes it away: a browser may say something itself after a push that showed nothing, or end the subscription. */
  async flash(pairing: string, notice: Notice): Promise<void> {
    const tag = `passes ${pairing}`;
    await this.#show(tag, notice, false, { pairing, requests: [], at: Date.now(), alarm: "" });
    for (const n of await this.registration.getNotifications({ tag })) n.close();
  }

  async #show(tag: string, { title, body, requests, buttons }: Notice, rings: boolean, data: Data): Promise<void> {
    this.count++;
    await this.registration.showNotification(title, {
      body: data.alarm && data.alarm !== title ? `${body}\n${data.alarm}` : body, tag, icon: this.icon, badge: this.icon, data, dir: "ltr",
      silent: !rings, renotify: rings, requireInteraction: requests.length > 0, actions: buttons.map((action) => ({ action, title: words[action] })),
    } as NotificationOptions);
  }

  /** open is the computer's, if it is there. */
  async open(pairing: string): Promise<Notification[]> {
    return this.registration.getNotifications({ tag: `computer ${pairing}` });
  }

  /** rung are the requests that its notifications are about. */
  async rung(pairing: string): Promise<Base64[]> {
    return (await this.open(pairing)).flatMap((n) => dataOf(n).requests);
  }

  /** close closes those of which is. */
  async close(which: (of: Data) => boolean): Promise<void> {
    for (const n of await this.registration.getNotifications()) if (which(dataOf(n))) n.close();
  }
}
