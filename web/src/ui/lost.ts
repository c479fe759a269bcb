// An app without keys that had some, or may have them elsewhere.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { note } from "./parts.ts";

/** lostNote stands first where keys were. */
export function lostNote(ui: Ui): Child {
  return ui.view.lost && note("warn", "alert", h("p", {}, h("strong", {}, t.upkeep.lost)), h("p", {}, t.upkeep.lostSays));
}

/** elsewhere is for who expected keys where nothing is known of any. */
export function elsewhere(ui: Ui): Child {
  return !ui.view.lost && h("p", { class: "dim small center" }, t.upkeep.elsewhere);
}
