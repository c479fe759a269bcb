// What is to be done next, one thing at a time, from the first key to the first login.
import { t } from "../text/en.ts";
import type { Hint } from "../choices.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, outside, said } from "./parts.ts";
import { pushHint } from "./push.ts";

/** next is for Home: null when nothing is left to do, or was put off. */
export function next(ui: Ui): Child {
  const { computers, install, log, pairing, putOff } = ui.view;
  const [computer] = computers;
  if (!computer) return pairing ? null : pair(ui);
  const wants = (hint: Hint): boolean => !putOff.includes(hint);
  const push = wants("push") && pushHint(ui, later(ui, "push"));
  if (push) return push;
  if (wants("login") && log.every((e) => e.decision !== "allowed")) return login(ui, computer.name);
  return install && wants("install") && installs(ui);
}

// Settings offers it still.
function later(ui: Ui, hint: Hint): Child {
  return button(ui, t.next.later, { id: `put off ${hint}`, run: () => ui.actions.putOff(hint) }, { class: "text", key: "later" });
}

function pair(ui: Ui): Child {
  return h("section", { class: "next", key: "pair" },
    h("h2", {}, t.next.pairTitle), h("p", {}, said(t.next.pair)),
    button(ui, t.pair.scan, () => ui.go({ name: "scan" }), { class: "primary wide", icon: "camera" }),
    button(ui, t.pair.haveLink, () => ui.go({ name: "pair" }), { class: "text wide" }));
}

function login(ui: Ui, computer: string): Child {
  return h("section", { class: "next", key: "login" },
    h("h2", {}, t.next.loginTitle), h("p", {}, t.next.login(outside(computer, 32))),
    h("ul", { class: "commands" }, t.next.commands.map((c) => h("li", {}, h("code", {}, c)))),
    h("p", {}, said(t.next.ssh)), later(ui, "login"));
}

function installs(ui: Ui): Child {
  return h("section", { class: "next", key: "install" },
    h("h2", {}, t.next.installTitle), h("p", {}, t.next.install),
    button(ui, t.next.installIt, { id: "install", run: () => ui.actions.install() }, { class: "primary wide" }), later(ui, "install"));
}
