// The version of the app, and another one that waits for the person's word.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, fact, note, outside, said } from "./parts.ts";

/** updateNote offers the next build, if there is one. */
export function updateNote(ui: Ui): Child {
  const { next } = ui.view.build;
  return next && note("plain", "phone",
    h("p", {}, h("strong", {}, t.update.title), " ", t.update.says), h("p", { class: "print" }, outside(next)),
    button(ui, t.update.go, { id: "update", run: () => ui.actions.update() }));
}

/** buildFacts are the facts of Settings. */
export function buildFacts({ view: { build: { hash, kept, why } } }: Ui): Child {
  return [
    hash && fact(t.update.version, outside(hash)),
    fact(t.update.offline, t.update[kept], why && [": ", outside(why, 240)]),
  ];
}

/** buildSays is what the version is worth, and looks for another. */
export function buildSays(ui: Ui): Child {
  return [
    h("p", { class: "dim small" }, said(t.upkeep.hash)),
    updateNote(ui) || button(ui, t.upkeep.look, { id: "look", run: async () => {
      if (!await ui.actions.look()) ui.say(t.upkeep.newest);
    } }, { class: "text wide" }),
  ];
}
