// What was decided: newest first, by day. What was refused stands out.
import type { Decision, Entry } from "../entry.ts";
import { t } from "../text/en.ts";
import { chainPart } from "./chain.ts";
import { type Ui, keyName, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { few, filters } from "./filters.ts";
import { covers, find, whole } from "./find.ts";
import { type IconName, icon } from "./icon.ts";
import { at, button, fact, fingerprint, long, note, outside, said, topic } from "./parts.ts";
import { weekFigure } from "./week.ts";
import { clock, date, dayName } from "./when.ts";

const shown: Record<Decision, { icon: IconName; tone: string }> = {
  allowed: { icon: "check", tone: "good" },
  rejected: { icon: "no", tone: "dim" },
  refused: { icon: "alert", tone: "danger" },
  expired: { icon: "clock", tone: "dim" },
  damaged: { icon: "alert", tone: "danger" },
};

const page = 100; // entries that a tap shows more

export function activity(ui: Ui): Child {
  const { view: { log }, state } = ui;
  if (log.length === 0) return [topic(ui, t.tabs.activity), note("plain", "activity", h("p", {}, said(t.log.none)))];
  const all = whole(log, state.history);
  const found = find(all, state.query);
  const shown = found.slice(0, state.rows);
  const days = new Map<string, Entry[]>();
  for (const e of shown) {
    const day = dayName(e.unix, ui.now);
    days.set(day, [...(days.get(day) ?? []), e]);
  }
  const missing = !covers(log, state.history);
  return [
    topic(ui, t.tabs.activity),
    missing && h("p", { key: `older than ${log.at(-1)?.seq ?? 0}`, class: "dim", role: "status", mounted: () => ui.run("history", () => readHistory(ui)) }, t.log.reading),
    weekFigure(ui, all),
    all.length > few && filters(ui, all, found.length),
    [...days].map(([day, entries]) => h("section", { key: day }, h("h2", {}, day), h("ul", { class: "list" }, entries.map((e) => activityRow(ui, e, true))))),
    shown.length === 0 && note("plain", "activity", t.log.noneFound),
    shown.length < found.length && button(ui, t.log.older, () => ui.change((s) => (s.rows += page)), { class: "plain wide" }),
    chainPart(ui),
  ];
}

async function readHistory(ui: Ui): Promise<void> {
  const history = await ui.actions.history();
  ui.change((s) => (s.history = history));
}

/** activityRow is one decision; its details open in place where open allows it. */
export function activityRow(ui: Ui, e: Entry, opens: boolean): Node {
  const id = `entry ${e.seq}`;
  const open = opens && ui.state.open.has(id);
  const { icon: name, tone } = shown[e.decision];
  const inside = [
    icon(name, tone),
    h("span", { class: "body" },
      h("span", { class: "title" }, place(e)),
      h("span", { class: "sub" }, h("strong", { class: tone }, t.decision[e.decision]), by(e), e.computer !== "" && [" · ", outside(e.computer, 32)])),
    h("time", { class: "digits", datetime: new Date(e.unix).toISOString() }, clock(e.unix)),
  ];
  return h("li", { key: id, class: e.decision === "refused" || e.decision === "damaged" ? "stands-out" : "" },
    opens ? h("button", { type: "button", class: "row", "aria-expanded": String(open), onclick: () => toggle(ui, id) }, inside) : h("div", { class: "row" }, inside),
    open && details(ui, e, id));
}

function by(e: Entry): Child {
  if (e.decision !== "allowed") return null;
  return e.rule === "" ? ` ${t.log.byYou}` : ` ${t.log.byRule}`;
}

function place(e: Entry): Child {
  if (e.namespace !== "") return [t.card.signTitle, " ", outside(e.namespace, 48)];
  if (e.user === "" && e.host === "") return t.log.noPlace;
  return [outside(e.user, 48), at(), e.host ? outside(e.host, 64) : t.card.noName];
}

function details(ui: Ui, e: Entry, id: string): Node {
  return h("dl", { class: "facts inset" },
    fact(t.log.when, `${date(e.unix, ui.now)}, ${clock(e.unix)}`),
    e.computer !== "" && fact(t.log.computer, outside(e.computer, 64)),
    e.program !== "" && fact(t.log.program, long(ui, `${id} program`, e.program, 120)),
    e.reason !== "" && fact(t.log.why, long(ui, `${id} why`, e.reason, 300)),
    e.user.length > 48 && fact(t.log.user, long(ui, `${id} user`, e.user, 48)),
    e.proof !== "" && fact(t.log.host, t.proofWord(e.proof)),
    e.hostKey !== "" && fact(t.log.hostKey, fingerprint(e.hostKey)),
    e.key !== "" && fact(t.card.key, outside(keyName(ui, e.key), 80)),
    e.rule !== "" && fact(t.log.rule, ruleText(ui, e.rule)),
    fact(t.log.number, String(e.seq)));
}

function ruleText(ui: Ui, id: string): Child {
  const rule = ui.view.rules.find((r) => r.id === id);
  return rule ? t.rule.since(clock(rule.since), clock(rule.until)) : t.log.ruleOver;
}
