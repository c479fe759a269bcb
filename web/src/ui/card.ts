// The request card: the one place where a person allows a signature.
import type { Card } from "../core.d.ts";
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { lastAnswer } from "./ended.ts";
import { choices, decide } from "./grants.ts";
import { type Group, cardId, groups } from "./group.ts";
import { forwarded, hostBox, hostFacts, who } from "./host.ts";
import { type IconName, icon } from "./icon.ts";
import { button, fact, long, note, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { subject } from "./subject.ts";
import { once } from "./view.ts";
import { left } from "./when.ts";

/** cardSheet shows the first question that was not put aside, or the one that was picked. */
export function cardSheet(ui: Ui): Node | null {
  const waiting = groups(ui.view.cards).filter((g) => !ui.state.aside.has(cardId(g[0])));
  const group = waiting.find((g) => g.some((c) => cardId(c) === ui.state.current)) ?? waiting[0];
  if (!group) return null;
  ui.state.current = cardId(group[0]);
  const card = group[0];
  const id = cardId(card);
  const which = ui.state.open.has(`allow ${id}`) ? "allow" : ui.state.open.has(`more ${id}`) ? "more" : "";
  const shown = JSON.stringify([id, which]);
  for (const c of group) ui.arm.ready(cardId(c));
  const aside = (): void => ui.change((s) => {
    waiting.forEach((g) => s.aside.add(cardId(g[0])));
    s.current = "";
  });
  return sheet(ui, { key: "card", arms: shown, class: "card", label: "card-title", close: aside, closes: t.putAway }, (ui) => [
    lastAnswer(ui),
    h("div", { class: "asks" }, h("p", {}, card.namespace ? t.card.asksSign(outside(card.computer, 32)) : t.card.asks(outside(card.computer, 32))), pager(ui, waiting, group)),
    heading("card-title", id, h("span", { class: card.user.length + card.hostName.length > 48 ? "lengthy" : "" }, card.namespace ? signTitle(ui, card) : who(ui, card))),
    group.length > 1 && h("p", { class: "alike" }, t.card.alike(group.length)),
    h("div", { class: "scroll", key: which, tabindex: 0 }, which ? choices(ui, group, which) : facts(ui, card)),
    time(ui, card),
    footer(ui, group, which),
  ]);
}

function signTitle(ui: Ui, card: Card): Child {
  return [t.card.signTitle, " ", long(ui, `ns ${cardId(card)}`, card.namespace, 48)];
}

function pager(ui: Ui, waiting: Group[], group: Group): Child {
  const at = waiting.indexOf(group);
  const many = waiting.length > 1;
  const turn = (step: number, label: string, name: IconName): Child => many && h("button", {
    type: "button", class: "bare", "aria-label": label,
    onclick: () => {
      const next = waiting[(at + step + waiting.length) % waiting.length];
      if (next) ui.change((s) => (s.current = cardId(next[0])));
    },
  }, icon(name));
  // The status is there from the start, so that another request is read out.
  return h("div", { class: "pager" },
    turn(-1, t.card.previous, "back"), h("span", { role: "status" }, many && t.card.nOf(at + 1, waiting.length)), turn(1, t.card.next, "next"));
}

function facts(ui: Ui, card: Card): Child {
  const { program, directory, remote, branch } = card.reported;
  const repository = [remote, branch].filter(Boolean).join(" · ");
  const id = cardId(card);
  const computer = outside(card.computer, 32);
  return [
    forwarded(ui, card),
    card.namespace === "" ? hostBox(ui, card) : note("warn", "sign", h("strong", {}, t.card.unseen), " ", t.card.unseenSays),
    h("dl", { class: "facts" },
      (program || directory) && fact(t.card.program,
        h("p", {}, program && h("span", { class: "code" }, long(ui, `program ${id}`, program, 80)), directory && [" ", t.card.in, " ", h("span", { class: "code" }, long(ui, `dir ${id}`, directory, 80))]),
        repository && h("p", {}, h("span", { class: "code" }, long(ui, `repo ${id}`, repository, 80))),
        h("p", { class: "dim" }, t.card.reportedBy(computer))),
      fact(t.card.computer, outside(card.computer, 64)),
      fact(t.card.key, outside(card.keyName, 64)),
      card.namespace === "" && hostFacts(card, ui)),
  ];
}

const full = 60_000; // ms, the time that a computer waits
const hurry = 15_000; // ms that are said to be few

function time(ui: Ui, card: Card): Node {
  const ms = Math.max(0, card.expires - ui.now);
  const text = left(ms);
  const short = ms < hurry;
  return h("div", { class: short ? "time short" : "time" },
    h("progress", { max: full, value: Math.min(ms, full), "aria-hidden": "true" }),
    h("span", { class: "digits", role: "timer", "aria-label": t.card.timeLeft(text) }, text), h("span", { class: "unseen", role: "status" }, short && t.card.hurry));
}

function footer(ui: Ui, group: Group, which: string): Node {
  const id = cardId(group[0]);
  const many = group.length > 1;
  const answer = (allow: boolean) => ({ id: `decide ${id}`, run: () => decide(ui, group, allow, once) });
  const open = (name: string) => (): void => toggle(ui, `${name} ${id}`);
  if (which) return h("footer", { key: "back" }, button(ui, t.card.backToCard, open(which), { class: "plain wide" }));
  return h("footer", { key: "answer" },
    h("div", { class: "answer" },
      button(ui, many ? t.card.rejectAll(group.length) : t.card.reject, answer(false), { class: "danger" }),
      button(ui, many ? t.card.allowAll(group.length) : t.card.allow, answer(true), { class: "primary" })),
    h("div", { class: "more" },
      !group[0].namespace && button(ui, t.card.allowFor, open("allow"), { class: "text", expanded: false }),
      button(ui, t.more0, open("more"), { class: "text", expanded: false })));
}

/** waitingRows are on top of Home: what was put aside comes back by a tap. */
export function waitingRow(ui: Ui, group: Group): Node {
  const card = group[0];
  const show = (): void => ui.change((s) => {
    s.aside.delete(cardId(card));
    s.current = cardId(card);
  });
  return h("li", { key: cardId(card) },
    h("button", { type: "button", class: "row waiting", onclick: show },
      icon(card.namespace ? "sign" : "key"),
      h("span", { class: "body" }, h("span", { class: "title" }, subject(card)), h("span", { class: "sub" }, t.home.asksFrom(outside(card.computer, 32)), group.length > 1 && ` · ${t.card.alike(group.length)}`)),
      h("span", { class: "digits" }, left(card.expires - ui.now)), icon("next", "chevron")));
}
