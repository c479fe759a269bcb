// The paired computers, and one of them.
import type { Computer } from "../core.d.ts";
import { t } from "../text/en.ts";
import { air } from "./air.ts";
import { type Ui, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { lockButton, lockedNote } from "./lock.ts";
import { nameForm } from "./naming.ts";
import { button, fact, list, long, note, outside, row, said, section, toggleSwitch, topic } from "./parts.ts";
import { ruleRow } from "./rules.ts";
import { heading, sheet } from "./sheet.ts";
import { ago, date } from "./when.ts";

export function computerRow(ui: Ui, c: Computer): Node {
  return row(outside(c.name, 48), {
    icon: c.locked ? "lock" : "computers", key: c.pairing, ...(c.locked && { tone: "danger" }),
    sub: c.locked ? t.lock.row : c.live ? t.computer.heard(ago(c.heard, ui.now)) : t.computer.notLive,
    onclick: () => ui.go({ name: "computer", pairing: c.pairing }),
  });
}

export function computers(ui: Ui): Child {
  return [
    topic(ui, t.tabs.computers),
    ui.view.computers.length === 0 ? note("plain", "computers", h("p", {}, said(t.computer.none))) : list(ui.view.computers.map((c) => computerRow(ui, c))),
    ui.view.untold.map((name, i) => h("div", { key: `untold ${i}` }, note("plain", "clock", t.computer.untold(outside(name, 48))))),
    h("div", { class: "stack" },
      button(ui, t.pair.scan, () => ui.go({ name: "scan" }), { class: "primary wide", icon: "camera" }),
      button(ui, t.pair.haveLink, () => ui.go({ name: "pair" }), { class: "text wide" })),
  ];
}

export function computer(ui: Ui, pairing: string): Child {
  const c = ui.view.computers.find((x) => x.pairing === pairing);
  if (!c) return [topic(ui, t.tabs.computers, true), note("plain", "computers", t.computer.gone)];
  const rules = ui.view.rules.filter((r) => r.pairing === pairing);
  const name = outside(c.name, 32);
  return [
    topic(ui, outside(c.name, 48), true),
    !c.live && note("plain", "clock", t.computer.notLiveSays),
    lockedNote(ui, c),
    h("dl", { class: "facts card" },
      c.name.length > 48 && fact(t.computer.name, long(ui, `computer ${pairing}`, c.name, 48)),
      fact(t.computer.paired, date(c.paired, ui.now)), fact(t.computer.lastHeard, ago(c.heard, ui.now)),
      ui.view.channels[pairing]?.map(({ kind, name, up }) => fact(t.channel[kind], outside(name, 80), h("div", { class: "dim" }, up ? t.channel.up : h("strong", {}, t.channel.down))))),
    rules.length > 0 && section(t.home.leases, list(rules.map((r) => ruleRow(ui, r, false)))),
    section(t.computer.keys, list(ui.view.keys.map((k) =>
      toggleSwitch(ui, `see ${pairing} ${k.fingerprint}`, outside(k.name, 48), t.kind[k.kind].word, ui.actions.sees(pairing, k.fingerprint),
        (on) => ui.actions.see(pairing, k.fingerprint, on))))),
    section(t.computer.forwarding, list(
      toggleSwitch(ui, `forward ${pairing}`, t.computer.forward, t.computer.forwardSays(name), c.forward, (on) => ui.actions.forward(pairing, on)))),
    air(ui, pairing),
    nameForm(ui, `name ${pairing}`, t.naming.computer, c.name, (to) => ui.actions.nameComputer(pairing, to)),
    h("div", { class: "stack apart" }, lockButton(ui, c), button(ui, t.computer.unpair, () => toggle(ui, `unpair ${pairing}`), { class: "danger wide" })),
  ];
}

export function unpairSheet(ui: Ui): Node | null {
  const c = ui.view.computers.find((x) => ui.state.open.has(`unpair ${x.pairing}`));
  if (!c) return null;
  const id = `unpair ${c.pairing}`;
  const close = (): void => ui.change((s) => s.open.delete(id));
  return sheet(ui, { key: id, arms: id, class: "over", role: "alertdialog", label: "unpair-title", close }, (ui) => [
    heading("unpair-title", id, t.computer.unpairTitle(outside(c.name, 48))),
    h("p", {}, t.computer.unpairSays), h("p", {}, t.computer.unpairKeys),
    h("footer", {}, h("div", { class: "answer" },
      button(ui, t.cancel, close),
      button(ui, t.computer.unpair, { id, run: async () => {
        await ui.actions.unpair(c.pairing);
        close();
        ui.back();
      } }, { class: "danger", off: !ui.arm.ready(id) }))),
  ]);
}
