// "Continue lease": a rule allows the request, but its key is locked.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Node, h } from "./dom.ts";
import { cardId } from "./group.ts";
import { icon } from "./icon.ts";
import { notMe } from "./lock.ts";
import { button, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { subject } from "./subject.ts";
import type { Unlock } from "./view.ts";
import { clock, left } from "./when.ts";

export function unlockId(u: Unlock): string {
  return `unlock ${cardId(u.card)}`;
}

export function unlockSheet(ui: Ui): Node | null {
  const u = ui.view.unlocks.find((x) => !ui.state.aside.has(unlockId(x)));
  if (!u) return null;
  const id = unlockId(u);
  const aside = (): void => ui.change((s) => s.aside.add(id));
  return sheet(ui, { key: "unlock", arms: id, class: "over", label: "unlock-title", close: aside, closes: t.putAway }, (ui) => [
    h("div", { class: "big good" }, icon("key")),
    heading("unlock-title", id, t.unlock.title),
    h("p", { class: "center" }, t.unlock.goesOn(outside(u.card.computer, 32)), " ", h("strong", {}, subject(u.card))),
    h("p", { class: "center dim" }, u.rule && t.unlock.until(clock(u.rule.until)), " ", t.unlock.locked(outside(u.card.keyName, 32)), " ", t.unlock.left(left(u.card.expires - ui.now))),
    h("footer", {},
      h("div", { class: "answer" },
        button(ui, t.unlock.notNow, { id, run: () => ui.actions.refuseUnlock(u) }),
        button(ui, t.unlock.go, { id, run: () => ui.actions.unlock(u) }, { class: "primary" })),
      notMe(ui, u.card, id, "text")),
  ]);
}
