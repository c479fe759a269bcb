// Before the phone runs, and when it does not: never an empty list.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { button, outside } from "./parts.ts";
import { updateNote } from "./update.ts";

export function loading(): Child {
  return h("div", { class: "start" }, h("div", { class: "big good pulse" }, icon("logo")), h("h1", { role: "status", tabindex: -1 }, t.start.loading));
}

export function dead(ui: Ui): Child {
  const stored = ui.view.cause !== "storage";
  return h("div", { class: "start", role: "alert" },
    h("div", { class: "big danger" }, icon("alert")),
    stored ? h("h1", { tabindex: -1 }, t.start.dead) : h("h1", { tabindex: -1 }, t.upkeep.stopped),
    stored ? [h("p", {}, t.start.deadSays), h("p", {}, h("strong", {}, t.start.nothingLost))] : h("p", {}, t.upkeep.stoppedSays),
    ui.view.why !== "" && h("p", { class: "code" }, outside(ui.view.why, 400)),
    button(ui, t.start.again, () => ui.actions.restart(), { class: "primary wide" }),
    updateNote(ui), // perhaps it was mended
    h("p", { class: "dim small" }, t.start.report));
}

export function busy(ui: Ui): Child {
  return h("div", { class: "start" },
    h("div", { class: "big dim" }, icon("phone")),
    h("h1", { tabindex: -1 }, t.start.busy), h("p", {}, t.start.busySays),
    button(ui, t.start.useHere, () => ui.actions.restart(), { class: "primary wide" }));
}
