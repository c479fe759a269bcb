// The small parts that screens are made of.
import { t } from "../text/en.ts";
import { clean, cut } from "./clean.ts";
import { type Ui, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { type IconName, icon } from "./icon.ts";

/** said is a sentence of ours, in which what stands between backquotes is typed: `kr pair`. */
export function said(text: string | readonly Child[]): Child {
  if (typeof text !== "string") return text.map((c) => (typeof c === "string" ? said(c) : c));
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/**
 * outside is short text from outside, cut at max. It moves nothing around it, and nothing moves in
 * it but words that are written from right to left: addresses read as ssh prints them.
 */
export function outside(text: string, max = 64): Node {
  return h("bdi", { class: max > 120 ? "out flow" : "out", dir: "ltr" }, text === "" ? t.empty : breaks(cut(text, max).text));
}

const breaksAfter = /(?<=[.@/_-])/; // rather there than inside a word

function breaks(text: string): Child {
  return text.length > 200 ? text : text.split(breaksAfter).map((part, i) => [i > 0 && h("wbr", {}), part]);
}

/** long is text from outside that can be opened to its whole length. */
export function long(ui: Ui, id: string, text: string, max: number): Child {
  const some = cut(text, max);
  if (some.all) return outside(text, max);
  const open = ui.state.open.has(id);
  return [
    h("bdi", { class: open ? "out whole" : "out", dir: "ltr", tabindex: open ? 0 : undefined }, open ? clean(text) : breaks(some.text)),
    " ",
    h("button", { type: "button", class: "text small", "aria-expanded": String(open), onclick: () => toggle(ui, id) }, open ? t.showLess : t.showAll(text.length)),
  ];
}

/** at is between a user and a host; a line may end after it. */
export function at(): Child {
  return ["@", h("wbr", {})];
}

/** fingerprint is a hash that people compare. */
export function fingerprint(text: string, keyType = ""): Node {
  return h("span", { class: "print" }, h("bdi", { dir: "ltr" }, cut(text, 80).text), keyType && h("span", { class: "dim" }, " ", outside(keyType, 40)));
}

interface ButtonOptions {
  class?: string; // primary, danger, plain (default), text
  icon?: IconName;
  off?: boolean;
  label?: string;
  expanded?: boolean;
  key?: string;
}

/** button does an action: run(id) when it may take a while, so that it shows as busy. */
export function button(ui: Ui, text: Child, act: (() => void) | { id: string; run: () => Promise<void> }, o: ButtonOptions = {}): Node {
  const busy = typeof act !== "function" && ui.state.busy.has(act.id);
  const onclick = (): void => {
    if (o.off || busy) return;
    if (typeof act === "function") act();
    else ui.run(act.id, act.run);
  };
  // Not "disabled": that would take the focus away.
  return h(
    "button",
    {
      type: "button", class: o.class ?? "plain", key: o.key ?? "", onclick, "aria-label": o.label && cut(o.label, 300).text, "aria-busy": busy ? "true" : undefined,
      "aria-disabled": o.off || busy ? "true" : undefined, "aria-expanded": o.expanded === undefined ? undefined : String(o.expanded),
    },
    o.icon && icon(o.icon), h("span", {}, text),
  );
}

/** section is a titled part of a page. */
export function section(title: Child, ...children: Child[]): Node {
  return h("section", {}, h("h2", {}, title), children);
}

interface RowOptions {
  icon?: IconName;
  tone?: string; // danger, warn, good
  sub?: Child;
  end?: Child;
  onclick?: () => void;
  key?: string;
}

/** row is one line of a list; with onclick it leads further. */
export function row(title: Child, o: RowOptions): Node {
  const inside = [
    o.icon && icon(o.icon, o.tone ?? ""),
    h("span", { class: "body" }, h("span", { class: "title" }, title), o.sub && h("span", { class: "sub" }, o.sub)),
    o.end, o.onclick && icon("next", "chevron"),
  ];
  const shown = o.onclick ? h("button", { type: "button", class: "row", onclick: o.onclick }, inside) : h("div", { class: "row" }, inside);
  return h("li", { key: o.key ?? "" }, shown);
}

export function list(...rows: Child[]): Node {
  return h("ul", { class: "list" }, rows);
}

/** note is a box with an icon. */
export function note(tone: "plain" | "warn" | "danger" | "good", name: IconName, ...children: Child[]): Node {
  return h("div", { class: `note ${tone}` }, icon(name), h("div", {}, children));
}

/** topic is a header with the way back, if there is one. */
export function topic(ui: Ui, title: Child, back = false): Node {
  return h("header", { class: "topic" },
    back && h("button", { type: "button", class: "bare", "aria-label": t.back, onclick: () => ui.back() }, icon("back")),
    h("h1", { tabindex: -1 }, title));
}

/** fact is one line of a description list. */
export function fact(name: Child, ...value: Child[]): Child {
  return h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));
}

/** toggleSwitch is on or off. */
export function toggleSwitch(ui: Ui, id: string, label: Child, sub: Child, on: boolean, set: (on: boolean) => Promise<void>): Node {
  const busy = ui.state.busy.has(id);
  return h("li", { key: id },
    h("button", { type: "button", class: "row", role: "switch", "aria-checked": String(on), "aria-busy": busy ? "true" : undefined, onclick: () => ui.run(id, () => set(!on)) },
      h("span", { class: "body" }, h("span", { class: "title" }, label), sub && h("span", { class: "sub" }, sub)),
      h("span", { class: "switch", "aria-hidden": "true" })));
}
