// What was decided: newest first, by day. What was refused stands out.
import type { Decision, Entry } from "../core.d.ts";
import { t } from "../text/en.ts";
import { type Ui, keyName, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { type IconName, icon } from "./icon.ts";
import { at, fact, fingerprint, long, note, outside, said, topic } from "./parts.ts";
import { clock, dayName } from "./when.ts";

const shown: Record<Decision, { icon: IconName; tone: string }> = {
  allowed: { icon: "check", tone: "good" },
  rejected: { icon: "no", tone: "dim" },
  refused: { icon: "alert", tone: "danger" },
  expired: { icon: "clock", tone: "dim" },
  damaged: { icon: "alert", tone: "danger" },
};

export function activity(ui: Ui): Child {
  const days = new Map<string, Entry[]>();
  for (const e of ui.view.log) {
    const day = dayName(e.unix, ui.now);
    days.set(day, [...(days.get(day) ?? []), e]);
  }
  return [
    topic(ui, t.tabs.activity),
    ui.view.log.length === 0 && note("plain", "activity", h("p", {}, said(t.activity.none))),
    [...days].map(([day, entries]) => h("section", { key: day }, h("h2", {}, day), h("ul", { class: "list" }, entries.map((e) => activityRow(ui, e, true))))),
    ui.view.log.length >= 200 && h("p", { class: "dim center" }, t.activity.most),
  ];
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
  return e.rule === "" ? ` ${t.activity.byYou}` : ` ${t.activity.byRule}`;
}

function place(e: Entry): Child {
  if (e.namespace !== "") return [t.card.signTitle, " ", outside(e.namespace, 48)];
  if (e.user === "" && e.host === "") return t.activity.noPlace;
  return [outside(e.user, 48), at(), e.host ? outside(e.host, 64) : t.card.noName];
}

function details(ui: Ui, e: Entry, id: string): Node {
  return h("dl", { class: "facts inset" },
    e.reason !== "" && fact(t.activity.why, long(ui, `${id} why`, e.reason, 300)),
    e.user.length > 48 && fact(t.activity.user, long(ui, `${id} user`, e.user, 48)),
    e.proof !== "" && fact(t.activity.host, t.proofWord(e.proof)),
    e.hostKey !== "" && fact(t.activity.hostKey, fingerprint(e.hostKey)),
    e.key !== "" && fact(t.card.key, outside(keyName(ui, e.key), 80)),
    e.rule !== "" && fact(t.activity.rule, ruleText(ui, e.rule)),
    fact(t.activity.number, String(e.seq)));
}

function ruleText(ui: Ui, id: string): Child {
  const rule = ui.view.rules.find((r) => r.id === id);
  return rule ? t.rule.since(clock(rule.since), clock(rule.until)) : t.activity.ruleOver;
}
