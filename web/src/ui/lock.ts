// "Not me": a computer whose requests were somebody else's is locked.
import type { Card, Computer } from "../core.d.ts";
import { t } from "../text/en.ts";
import { type Ui, computerName, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { button, note, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { ago } from "./when.ts";

const asked = (c: Computer): string => `lock ${c.pairing}`;

/** lockedNote says that a computer is locked, and leads to its unlocking. */
export function lockedNote(ui: Ui, c: Computer): Child {
  return c.locked !== 0 && note("danger", "lock",
    h("p", {}, h("strong", {}, t.lock.since(ago(c.locked, ui.now))), " ", t.lock.says(outside(c.name, 32))),
    button(ui, t.lock.unlock, () => toggle(ui, asked(c)), { class: "plain" }));
}

/** lockButton is there while a computer is not locked. */
export function lockButton(ui: Ui, c: Computer): Child {
  return c.locked === 0 && c.live && button(ui, t.lock.button, () => toggle(ui, asked(c)), { class: "danger wide", icon: "lock" });
}

/** notMe locks the computer that asks, by one tap. id is of what that answers. */
export function notMe(ui: Ui, { pairing, computer }: Pick<Card, "pairing" | "computer">, id: string, style = "danger"): Node {
  const name = outside(computerName(ui, pairing) || computer, 32);
  return button(ui, t.lock.card(name), { id, run: async () => {
    await ui.actions.lock(pairing, true);
    ui.say(t.lock.done);
  } }, { class: style, icon: "lock" });
}

export function lockSheet(ui: Ui): Node | null {
  const c = ui.view.computers.find((x) => ui.state.open.has(asked(x)));
  if (!c) return null;
  const on = c.locked === 0;
  const id = `${asked(c)} ${on}`;
  const close = (): void => ui.change((s) => s.open.delete(asked(c)));
  const name = outside(c.name, 48);
  return sheet(ui, { key: id, arms: id, class: "over", role: "alertdialog", label: "lock-title", close }, (ui) => [
    heading("lock-title", id, on ? t.lock.title(name) : t.lock.unlockTitle(name)),
    h("p", {}, on ? t.lock.lockSays : t.lock.unlockSays), !on && h("p", {}, t.lock.unlockIf),
    h("footer", {}, h("div", { class: "answer" },
      button(ui, t.cancel, close),
      button(ui, on ? t.lock.lock : t.lock.unlockNow, { id, run: async () => {
        close(); // before it is the other question
        await ui.actions.lock(c.pairing, on);
      } }, { class: on ? "danger" : "primary", off: !ui.arm.ready(id) }))),
  ]);
}
