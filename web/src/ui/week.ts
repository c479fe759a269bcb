// A small picture of the last days, with the same in words.
import type { Entry } from "../entry.ts";
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { type Day, week } from "./find.ts";
import { weekday } from "./when.ts";

const [width, height] = [24, 64]; // of a day

export function weekFigure(ui: Ui, entries: Entry[]): Child {
  const days = week(entries, ui.now);
  const sum = (of: (d: Day) => number): number => days.reduce((n, d) => n + of(d), 0);
  const most = Math.max(1, ...days.map((d) => d.allowed + d.others));
  const words = days.map((d) => t.log.day(weekday(d.begins, "long"), d.allowed, d.others)).join(", ");
  return h("figure", { class: "week card" },
    h("figcaption", {}, h("strong", {}, t.log.week), " ", h("span", { class: "dim" }, t.log.counts(sum((d) => d.allowed), sum((d) => d.others)))),
    h("svg", { role: "img", "aria-label": words, viewBox: `0 0 ${width * days.length} ${height}`, preserveAspectRatio: "none" }, days.map((d, i) => bars(d, i, most))),
    h("div", { class: "days", "aria-hidden": "true" }, days.map((d) => h("span", { key: String(d.begins) }, weekday(d.begins, "short"), h("b", {}, d.allowed)))));
}

// bars of a day: what was allowed is filled, the rest above it hollow.
function bars({ allowed, others }: Day, i: number, most: number): Node[] {
  const x = i * width + 4;
  const bar = (kind: string, from: number, n: number): Node => {
    const [bottom, top] = [from, from + n].map((v) => height - 2 - (v / most) * (height - 4)) as [number, number];
    return h("path", { key: `${kind} ${i}`, class: kind, d: `M${x} ${bottom}V${top}h${width - 8}V${bottom}z` });
  };
  return [bar("yes", 0, allowed), bar("not", allowed, others)].filter((_, k) => [allowed, others][k] !== 0);
}
