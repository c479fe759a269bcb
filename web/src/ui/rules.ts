// What goes on without asking, and what is blocked: a row each, with its end.
import type { Rule } from "../core.d.ts";
import { t } from "../text/en.ts";
import { type Ui, computerName, keyName } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { icon } from "./icon.ts";
import { at, button, outside } from "./parts.ts";
import { clock, left } from "./when.ts";

/** ruleRow says from which computer, unless the page does. */
export function ruleRow(ui: Ui, rule: Rule, from = true): Node {
  const computer = outside(computerName(ui, rule.pairing), 32);
  const block = rule.scope === "block";
  const title: Child = block ? t.rule.blocked(computer)
    : rule.scope === "computer" ? t.rule.computer(computer)
    : [outside(rule.user, 32), at(), outside(rule.name || rule.hostKey, 48)];
  return h("li", { key: rule.id },
    h("div", { class: "row" }, icon(block ? "no" : "clock", block ? "danger" : "good"),
      h("span", { class: "body" }, h("span", { class: "title" }, title),
        h("span", { class: "sub" },
          from && rule.scope === "host" && [t.rule.from(computer), " · "],
          rule.key !== "" && ui.view.keys.length > 1 && [outside(keyName(ui, rule.key), 32), " · "],
          t.rule.until(clock(rule.until), left(rule.until - ui.now)),
          rule.closed && ` · ${t.rule.closed}`,
          rule.counted && ` · ${t.rule.logins(rule.left)}`)),
      button(ui, t.rule.end, { id: `end ${rule.id}`, run: () => ui.actions.revoke(rule.id) }, { class: "plain small" })));
}
