// Pairing: by camera or by link, then two words to compare.
import { t } from "../text/en.ts";
import { air } from "./air.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { banners } from "./messages.ts";
import { button, fact, note, outside, said, topic } from "./parts.ts";
import type { Pairing } from "./view.ts";
import { text } from "./welcome.ts";

/** pairPage is where a link is typed or pasted. */
export function pairPage(ui: Ui): Child {
  const busy = ui.state.busy.has("open link");
  return [
    topic(ui, t.pair.title, true), banners(ui),
    h("p", {}, said(t.next.pair)),
    button(ui, t.pair.scan, () => ui.go({ name: "scan" }), { class: "primary wide", icon: "camera" }),
    h("form", {
      class: "stack apart",
      onsubmit: (event) => {
        event.preventDefault();
        const link = text(event, "link");
        if (link) ui.run("open link", () => ui.actions.openLink(link));
      },
    },
    h("label", { for: "link" }, t.pair.paste),
    h("textarea", { id: "link", name: "link", rows: 3, maxlength: 2048, autocapitalize: "off", autocomplete: "off", spellcheck: "false", placeholder: t.pair.placeholder, required: true }),
    h("button", { type: "submit", class: "plain wide", "aria-busy": busy ? "true" : undefined }, t.pair.open)),
  ];
}

/** scanPage shows the camera. What it reads is opened, not yet sent anywhere. */
export function scanPage(ui: Ui): Child {
  return h("div", { class: "scan" },
    h("video", {
      key: "video", muted: true, playsinline: true, autoplay: true, "aria-label": t.pair.camera,
      mounted: (el, gone) => {
        if (!(el instanceof HTMLVideoElement)) return;
        ui.run("scan", async () => {
          try {
            const link = await ui.actions.scan(el, gone);
            gone.throwIfAborted();
            await ui.actions.openLink(link);
          } catch (err) {
            if (gone.aborted) return;
            ui.back();
            throw err;
          }
        });
      },
    }),
    h("div", { class: "finder", "aria-hidden": "true" }),
    h("div", { class: "scantop" }, h("button", { type: "button", class: "bare", "aria-label": t.back, onclick: () => ui.back() }, icon("back")), h("h1", { tabindex: -1 }, t.pair.scanTitle)),
    h("div", { class: "scanfoot" }, h("p", {}, said(t.pair.scanSays)), button(ui, t.pair.haveLink, () => ui.go({ name: "pair" }), { class: "text wide" })));
}

/** steps shows the pairing under way. */
export function steps(ui: Ui, p: Pairing): Child {
  const computer = outside(p.computer, 48);
  const later = (): void => ui.change((s) => s.left.add(p.id || p.link));
  const foot = (...children: Child[]): Child => h("footer", { key: p.step }, children);
  const words = { key: p.step };
  const cut = ui.view.channels[p.id]?.every(({ up }) => !up); // by which its answer would come
  const unable = p.place?.kind === "bluetooth" && ui.view.air[p.id]?.can === false;
  switch (p.step) {
    case "link":
      return h("div", { class: "steps-page" }, banners(ui),
        h("div", { ...words, class: "body" }, h("div", { class: "big good" }, icon("computers")), h("h1", { tabindex: -1 }, t.pair.askTitle), h("p", { class: "center" }, t.pair.askSays),
          p.place && h("dl", { class: "facts card" }, fact(t.channel[p.place.kind], outside(p.place.name || t.pair.nearby, 120))), h("p", { class: "center dim" }, said(t.pair.nothingSent)), unable && air(ui, p.id)),
        foot(h("div", { class: "answer" }, button(ui, t.cancel, () => ui.actions.dropLink()), button(ui, t.pair.pair, { id: "pair", run: () => ui.actions.pair() }, { class: "primary", off: unable }))));
    case "waiting":
      return h("div", { class: "steps-page" }, banners(ui),
        h("div", { ...words, class: "body" }, h("div", { class: "big dim pulse" }, icon("computers")), h("h1", { tabindex: -1, role: "status" }, t.pair.waiting), !p.slow && p.place?.kind !== "bluetooth" && h("p", { class: "center dim" }, t.pair.waitingSays),
          p.slow && h("div", { role: "alert" }, note("warn", "alert", h("strong", {}, t.pair.slow), " ", said(cut ? t.pair.cutSays : t.pair.slowSays))),
          (p.slow || p.place?.kind === "bluetooth") && air(ui, p.id)),
        foot(button(ui, t.pair.stop, () => ui.actions.dropLink(), { class: "plain wide" })));
    case "words": {
      const subject = `words ${p.id}`;
      const answer = (yes: boolean) => ({ id: "confirm", run: async () => {
        if (ui.arm.ready(subject)) await ui.actions.confirm(yes);
      } });
      return h("div", { class: ui.arm.ready(subject) ? "steps-page" : "steps-page arming" }, banners(ui),
        h("div", { ...words, class: "body" }, h("p", { class: "center" }, t.pair.pairingWith, " ", h("strong", {}, computer)), h("h1", { tabindex: -1 }, t.pair.same),
          h("p", { class: "words", "aria-label": t.pair.wordsLabel }, p.words.split(" ").slice(0, 2).map((w) => h("span", {}, outside(w, 16), " "))),
          h("p", { class: "center dim" }, t.pair.sameSays)),
        foot(h("div", { class: "answer" }, button(ui, t.pair.no, answer(false), { class: "danger" }), button(ui, t.pair.pair, answer(true), { class: "primary" }))));
    }
    case "agreed":
      return h("div", { class: "steps-page" }, banners(ui),
        h("div", { ...words, class: "body" }, h("div", { class: "big good" }, icon("check")), h("h1", { tabindex: -1, role: "status" }, t.pair.agreed),
          h("p", { class: "center" }, said(t.pair.agreedSays(computer))), h("p", { class: "words small" }, outside(p.words, 40))),
        foot(button(ui, t.pair.later, later, { class: "plain wide" })));
  }
}
