// Notifications: whether requests arrive while the app is closed, and what a person can do about it.
import { t } from "../text/en.ts";
import type { Ui } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { capital } from "./messages.ts";
import { button, list, note, outside, row, section, toggleSwitch } from "./parts.ts";

const maxWhy = 240; // characters of a reason

/** pushHint is for Home: what is to be done, if something is, or later. */
export function pushHint(ui: Ui, later: Child): Child {
  const { push } = ui.view;
  switch (push.state) {
    case "ask": return h("section", { class: "next", key: "push" }, h("h2", {}, t.push.nextTitle), h("p", {}, t.push.why), ring(ui, t.push.turnOn, "primary wide"), later);
    case "home":
    case "denied":
    case "failed": return note("plain", "bell", h("p", {}, h("strong", {}, t.push.hint[push.state]), " ", says(ui)), h("div", { class: "ways" }, push.state === "failed" && ring(ui, t.push.again, "text"), later));
    case "none":
    case "working":
    case "on": return null;
  }
}

/** pushSettings is the part of Settings. */
export function pushSettings(ui: Ui): Node {
  const { keys, lockScreen, push, tellRules } = ui.view;
  const on = push.state === "on";
  const todo = push.state === "ask" ? t.push.turnOn : push.state === "denied" || push.state === "failed" ? t.push.again : "";
  // A switch is there while it does something; what is on can always be turned off.
  return section(t.push.title, list(
    row(t.push.state[push.state], { icon: "bell", tone: on ? "good" : "", sub: says(ui) }),
    todo && h("li", { key: "ring" }, ring(ui, todo, "text wide")),
    (lockScreen || (on && keys.some((k) => k.kind === "plain"))) &&
      toggleSwitch(ui, "lock screen", t.push.lockScreen, t.push.lockScreenSays, lockScreen, (yes) => ui.actions.setLockScreen(yes)),
    (tellRules || on) && toggleSwitch(ui, "tell rules", t.push.tellRules, t.push.tellRulesSays, tellRules, (yes) => ui.actions.setTellRules(yes))));
}

function says({ view: { home, push } }: Ui): Child {
  switch (push.state) {
    case "denied": return t.push.allow[home === "installed" ? "installed" : "browser"];
    case "failed": return outside(capital(push.why), maxWhy);
    default: return t.push.says[push.state];
  }
}

// The prompt of the browser follows the tap.
function ring(ui: Ui, words: string, cls: string): Node {
  return button(ui, words, { id: "ring", run: () => ui.actions.ring() }, { class: cls });
}
