// Home: what waits, the key, what goes on without asking, what happened.
import { t } from "../text/en.ts";
import { type Ui, computerName } from "./context.ts";
import { activityRow } from "./activity.ts";
import { waitingRow } from "./card.ts";
import { computerRow } from "./computers.ts";
import { type Child, h } from "./dom.ts";
import { groups } from "./group.ts";
import { icon } from "./icon.ts";
import { keyCard } from "./keycard.ts";
import { banners } from "./messages.ts";
import { next } from "./next.ts";
import { button, list, outside, row, section } from "./parts.ts";
import { ruleRow } from "./rules.ts";
import { subject } from "./subject.ts";
import { unlockId } from "./unlock.ts";
import { updateNote } from "./update.ts";
import { left } from "./when.ts";

export function home(ui: Ui): Child {
  const { view } = ui;
  const waiting = groups(view.cards);
  return [
    h("header", { class: "topic named" }, icon("logo", "logo"), h("h1", { tabindex: -1 }, t.app), h("span", { class: "phone" }, outside(view.name, 32))),
    banners(ui),
    waiting.length + view.unlocks.length > 0 && section(t.home.waiting, list(
      waiting.map((g) => waitingRow(ui, g)),
      view.unlocks.map((u) => row(subject(u.card), {
        icon: "key", key: unlockId(u), sub: t.unlock.goesOn(outside(u.card.computer, 32)),
        end: h("span", { class: "digits" }, left(u.card.expires - ui.now)),
        onclick: () => ui.change((s) => s.aside.delete(unlockId(u))),
      })))),
    pairingRow(ui),
    next(ui),
    updateNote(ui),
    view.rules.length > 0 && section(t.home.leases, list(view.rules.map((r) => ruleRow(ui, r)))),
    section(view.keys.length === 1 ? t.home.key : t.home.keys, view.keys.map((k) => keyCard(ui, k))),
    view.computers.length > 0 && section(t.tabs.computers, list(view.computers.map((c) => computerRow(ui, c)))),
    view.log.length > 0 && h("section", {},
      h("div", { class: "titled" }, h("h2", {}, t.home.recent), button(ui, t.home.all, () => ui.change((s) => (s.tab = "activity")), { class: "text" })),
      list(view.log.slice(0, 3).map((e) => activityRow(ui, e, false)))),
  ];
}

// A pairing that the person need not watch any more goes on here.
function pairingRow(ui: Ui): Child {
  const p = ui.view.pairing;
  if (!p || !ui.state.left.has(p.id || p.link)) return null;
  return list(row([t.pair.pairingWith, " ", outside(p.computer || computerName(ui, p.id) || p.place?.name || "", 48)], {
    icon: "computers", sub: t.pair.rowSub[p.step], onclick: () => ui.change((s) => s.left.delete(p.id || p.link)),
  }));
}
