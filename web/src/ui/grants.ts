// What may be allowed beyond one request, or rejected.
import type { Card, Grant, Millis } from "../core.d.ts";
import { t } from "../text/en.ts";
import { type Child, h } from "./dom.ts";
import { type Ui, computerName, toggle } from "./context.ts";
import { type Group, cardId } from "./group.ts";
import { notMe } from "./lock.ts";
import { at, button, outside } from "./parts.ts";
import { once } from "./view.ts";

const minute = 60_000;
const blockTime = 10 * minute;
const times: { text: string; for: Millis }[] = [
  { text: t.min(15), for: 15 * minute },
  { text: t.hours(1), for: 60 * minute },
  { text: t.hours(3), for: 180 * minute },
];
const logins = { count: 10, for: 180 * minute }; // a count holds for a time, too

/**
 * decide answers those of a group that have been counted on the screen for a
 * moment; what came just now is asked again. A grant goes with the first.
 */
export async function decide(ui: Ui, group: readonly Card[], allow: boolean, grant: Grant): Promise<void> {
  const seen = group.filter((card) => ui.arm.ready(cardId(card)));
  for (const card of seen) await ui.actions.decide(card, allow, card === seen[0] ? grant : once);
}

const closedName = (card: Card): string => `closed ${cardId(card)}`;

/** choices are shown instead of the facts, after "Allow for…" or "More". */
export function choices(ui: Ui, group: Group, which: "allow" | "more"): Child {
  const card = group[0];
  const answer = (text: string, allow: boolean, grant: Grant, off: boolean, cls = "plain", of: readonly Card[] = group): Child =>
    button(ui, text, { id: `decide ${cardId(card)}`, run: () => decide(ui, of, allow, grant) }, { class: cls, off });
  if (which === "more") {
    return [
      group.length > 1 && h("div", { class: "choice" },
        h("p", {}, t.card.oneSays(group.length)), answer(t.card.onlyOne, true, once, false, "plain", [card])),
      h("div", { class: "choice" },
        h("p", {}, t.card.blockSays(outside(card.computer, 32))), answer(t.card.block, false, { ...once, scope: "block", for: blockTime }, false, "danger")),
      h("div", { class: "choice" },
        h("p", {}, t.lock.cardSays(outside(computerName(ui, card.pairing) || card.computer, 32))), notMe(ui, card, `decide ${cardId(card)}`)),
    ];
  }
  const host = card.noHostRule !== "";
  const closable = ui.view.keys.some((k) => k.kind === "wrapped" && k.name === card.keyName) && !host;
  const closed = closable && ui.state.open.has(closedName(card));
  const computer = card.noComputerRule !== "";
  return [
    // First, as it goes with each of the answers below.
    closable && h("div", { class: "choice", key: "closed" },
      h("label", { class: "check" },
        h("input", { type: "checkbox", checked: closed, onchange: () => toggle(ui, closedName(card)) }), h("span", {}, t.card.closed)),
      h("p", { class: "small" }, t.card.closedSays(outside(card.computer, 32)))),
    h("div", { class: "choice", role: "group", "aria-labelledby": "rule-host" },
      h("h2", { id: "rule-host" }, t.card.forHost, " ", outside(card.user, 32), at(), outside(card.hostName || t.card.thisKey, 48)),
      h("p", {}, host ? [t.card.notPossible, " ", h("bdi", {}, card.noHostRule), "."] : t.card.forHostSays(outside(card.computer, 32))),
      h("div", { class: "buttons two" },
        times.map((x) => answer(x.text, true, { scope: "host", for: x.for, count: 0, closed }, host)),
        answer(t.card.logins(logins.count), true, { scope: "host", ...logins, closed }, host))),
    h("div", { class: "choice", role: "group", "aria-labelledby": "rule-computer" },
      h("h2", { id: "rule-computer" }, t.card.forComputer(outside(card.computer, 48))),
      h("p", {}, computer ? [t.card.notPossible, " ", h("bdi", {}, card.noComputerRule), "."] : t.card.forComputerSays),
      h("div", { class: "buttons" }, times.map((x) => answer(x.text, true, { scope: "computer", for: x.for, count: 0, closed }, computer)))),
  ];
}
