// Before there is a key: what this is, what it binds people to, the first key.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { keyChoices } from "./keychoice.ts";
import { elsewhere, lostNote } from "./lost.ts";
import { banners } from "./messages.ts";
import { button, note, outside, said } from "./parts.ts";

export function welcome(ui: Ui): Child {
  return h("div", { class: "welcome" },
    banners(ui),
    lostNote(ui),
    h("div", { class: "big good" }, icon("logo")),
    h("h1", { tabindex: -1 }, t.welcome.title),
    h("p", { class: "lead" }, t.welcome.what),
    note("plain", "pin", h("p", {}, t.welcome.address1, " ", h("strong", {}, outside(location.host, 80)), t.welcome.address2, " ", t.welcome.moving)),
    ui.view.pairing && note("good", "computers", t.welcome.pairsNext),
    keyChoices(ui, t.welcome.name, ui.view.name, async (kind, name) => {
      await ui.actions.makeKey(kind, name); // first, while the tap counts as one
      await ui.actions.rename(name);
    }),
    elsewhere(ui));
}

/** safariTab is all that an iOS Safari tab says: it shares nothing with the Home-Screen app. */
export function safariTab(ui: Ui): Child {
  return h("div", { class: "welcome" },
    h("div", { class: "big good" }, icon("phone")),
    h("h1", { tabindex: -1 }, t.tab.title),
    h("p", { class: "lead" }, t.tab.why),
    h("ol", { class: "steps" }, t.tab.steps.map((s) => h("li", {}, said(s)))),
    button(ui, t.tab.insist, () => ui.change((s) => (s.insist = true)), { class: "text wide" }),
    h("p", { class: "dim small center" }, t.tab.insistSays));
}

/** text is what was typed into a field of a form that is submitted. */
export function text(event: Event, name: string): string {
  if (!(event.target instanceof HTMLFormElement)) return "";
  const value = new FormData(event.target).get(name);
  return typeof value === "string" ? value.trim() : "";
}
