// What narrows the log down: words, a decision, a computer.
import type { Decision, Entry } from "../entry.ts";
import { t } from "../text/en.ts";
import { clean, cut } from "./clean.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { anything, computersIn, type Query } from "./find.ts";
import { newState } from "./context.ts";

export const few = 5; // so many can be looked through

export function filters(ui: Ui, all: Entry[], found: number): Child {
  const { query } = ui.state;
  const ask = (change: Partial<Query>): void => ui.change((s) => {
    s.query = { ...s.query, ...change };
    s.rows = newState().rows;
  });
  const computers = [...computersIn(all)];
  return h("section", { class: "filters", role: "search" },
    h("input", {
      id: "find", type: "search", value: query.text, "aria-label": t.log.search, placeholder: t.log.search, maxlength: 80, autocapitalize: "off", autocomplete: "off", spellcheck: "false",
      oninput: ({ target }) => target instanceof HTMLInputElement && ask({ text: target.value }),
    }),
    h("div", { class: "buttons two" },
      choice("decision", t.log.decision, query.decision, [["", t.log.anyDecision], ...Object.entries(t.decision)], (v) => ask({ decision: v as Decision | "" })),
      computers.length > 1 && choice("computer", t.log.computer, query.computer, [["", t.log.anyComputer], ...computers.map(([id, name]): [string, string] => [id, cut(name, 32).text])], (v) => ask({ computer: v }))),
    h("p", { class: "dim small", role: "status" }, query !== anything && found > 0 && t.log.found(found)));
}

/** choice is one of several values, each with its words. */
export function choice(id: string, label: string, chosen: string, values: readonly (readonly [string, string])[], choose: (value: string) => void): Node {
  return h("select", { id, key: id, "aria-label": label, onchange: ({ target }) => target instanceof HTMLSelectElement && choose(target.value) },
    values.map(([value, words]) => h("option", { key: value, value, selected: value === chosen }, clean(words))));
}
