// A text for reports: how this app is, and nothing secret.
import { t } from "../text/en.ts";
import type { Room } from "./care.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { button, section } from "./parts.ts";
import type { View } from "./view.ts";

/** blank takes out of an error what may be a secret or say where or who somebody is: names, addresses, long words. */
export function blank(text: string, names: readonly string[]): string {
  const known = names.filter((n) => n.length > 1).sort((a, b) => b.length - a.length);
  let out = known.reduce((s, n) => s.replaceAll(n, "<name>"), text.slice(0, 1000));
  out = out
    .replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, "<address>")
    .replace(/\S*@\S*/g, "<address>")
    .replace(/\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9a-f]{0,4}:){2,}[0-9a-f]{0,4}/gi, "<address>")
    .replace(/\b(?:[\w-]+\.)+[a-z]{2,}\b/gi, "<address>")
    .replace(/(?<![\w+/=-])(?![A-Z][A-Za-z]*Error\b)[\w+/=-]{16,}/g, "<…>")
    .replace(/[\p{C}\s]+/gu, " ");
  return out.slice(0, 300);
}

/** report is the text. It is made of counts and states; only errors have words of others, and those are blanked. */
export function report(view: View, room: Room | null, errors: readonly string[], agent: string): string {
  const { build, keys, computers, channels, push, log } = view;
  const names = [view.name, ...keys.flatMap((k) => [k.name, k.fingerprint]), ...computers.flatMap((c) => [c.name, c.pairing]), ...view.pins.map((p) => p.name)];
  const count = (all: readonly string[]): string => [...new Set(all)].map((k) => `${all.filter((x) => x === k).length} ${k}`).join(", ") || "none";
  return [
    `version: ${build.hash || "not kept"}, starts without its server: ${build.kept}, another waits: ${build.next ? "yes" : "no"}`,
    `browser: ${agent.replace(/[^\x20-\x7e]/g, "").slice(0, 300)}`,
    `runs as: ${view.home}, looks: ${view.theme}`,
    `storage: ${room ? `${room.kept ? "kept" : "not promised"}, ${t.upkeep.bytes(room.used)} of ${t.upkeep.bytes(room.quota)}` : "not known"}`,
    `keys: ${count(keys.map((k) => k.kind))}`,
    `computers: ${computers.length}, waiting to be told: ${view.untold.length}`,
    ...computers.map((c, i) => `  ${i + 1}: ${(channels[c.pairing] ?? []).map((x) => `${x.kind} ${x.up ? "up" : "down"}`).join(", ") || "no channel"}${view.air[c.pairing]?.on ? ", Bluetooth chosen" : ""}`),
    `notifications: ${push.state}, from the lock screen: ${view.lockScreen ? "yes" : "no"}`,
    `log: ${log[0]?.seq ?? 0} entries, rules: ${view.rules.length}, hosts: ${view.pins.length}, refused host keys: ${view.strange.length}, waiting: ${view.cards.length}`,
    `errors: ${view.troubles.length + errors.length || "none"}`,
    ...view.troubles.map((x) => `  ${new Date(x.at).toISOString()} ${blank(x.text, names)}`),
    ...errors.map((x) => `  shown: ${blank(x, names)}`),
  ].join("\n");
}

export function reports(ui: Ui): Child {
  const text = report(ui.view, ui.state.room, ui.state.errors.map((e) => e.text), navigator.userAgent);
  const open = ui.state.open.has("report");
  return section(t.upkeep.reports, h("p", { class: "dim small" }, t.upkeep.reportsSay),
    h("div", { class: "buttons two" },
      button(ui, t.upkeep.copy, { id: "report", run: async () => {
        await ui.actions.copy(text);
        ui.say(t.upkeep.copied);
      } }, { icon: "copy" }),
      button(ui, open ? t.upkeep.hide : t.upkeep.show, () => ui.change((s) => (open ? s.open.delete("report") : s.open.add("report"))), { class: "text", expanded: open })),
    open && h("pre", { class: "report", tabindex: 0 }, text));
}
