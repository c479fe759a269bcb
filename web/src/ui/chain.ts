// The record as a whole: whether its chain holds, and a copy of it.
import type { Chain } from "../core.d.ts";
import { t } from "../text/en.ts";
import { capital } from "./messages.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { button, note, outside, section } from "./parts.ts";

const shortHead = 16; // characters of a head that are enough to compare

export function chainPart(ui: Ui): Node {
  const verify = async (): Promise<void> => {
    ui.change((s) => (s.chain = null));
    const chain = await ui.actions.verifyLog();
    ui.change((s) => (s.chain = chain));
  };
  return section(t.log.chain, h("p", { class: "dim small" }, t.log.chainSays),
    h("div", { class: "buttons two" },
      button(ui, t.log.verify, { id: "verify", run: verify }),
      button(ui, t.log.export, { id: "export", run: () => ui.actions.exportLog() })),
    h("div", { role: "status" }, ui.state.chain && outcome(ui.state.chain)));
}

function outcome({ held, first, length, head, broken }: Chain): Child {
  if (broken) return note("danger", "alert", h("p", {}, h("strong", {}, t.log.broken), " ", outside(capital(broken), 240)), h("p", {}, t.log.held(held)), h("p", {}, t.log.brokenDo));
  if (held === 0) return note("plain", "activity", t.log.empty);
  return note("good", "check", h("p", {}, h("strong", {}, t.log.holds(first, length))),
    h("p", {}, t.log.mark, h("span", { class: "print" }, `${length}:${head.slice(0, shortHead)}`)), h("p", {}, t.log.compare));
}
