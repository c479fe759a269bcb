// The servers whose keys are pinned, and the keys that were refused.
import type { Pin } from "../core.d.ts";
import { t } from "../text/en.ts";
import { trust } from "./alarm.ts";
import { type Ui, computerName, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { button, fingerprint, note, outside, section, topic } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { date } from "./when.ts";

function pinId(p: Pin): string {
  return `${p.name} ${p.scope} ${p.fingerprint}`;
}

const many = 20; // more hosts than that can be searched
const most = 100; // shown at once

export function hosts(ui: Ui): Child {
  const wanted = ui.state.filter.toLowerCase();
  const found = ui.view.pins.filter((p) => p.name.toLowerCase().includes(wanted) || p.fingerprint.includes(ui.state.filter));
  return [
    topic(ui, t.hosts.title, true),
    h("p", { class: "dim" }, t.hosts.says),
    ui.view.strange.length > 0 && section(t.hosts.strange, h("p", { class: "dim" }, t.hosts.strangeSays),
      ui.view.strange.map((p) => h("article", { class: "pin danger", key: pinId(p) }, about(ui, p, t.hosts.seen), trust(ui, p, pinId(p), () => undefined)))),
    ui.view.pins.length > many && h("div", { class: "stack" }, h("label", { for: "filter" }, t.hosts.search),
      h("input", { id: "filter", type: "search", value: ui.state.filter, maxlength: 80, autocapitalize: "off", autocomplete: "off", spellcheck: "false",
        oninput: (event) => {
          const { target } = event;
          if (target instanceof HTMLInputElement) ui.change((s) => (s.filter = target.value.trim()));
        } })),
    found.length === 0 ? note("plain", "pin", ui.view.pins.length === 0 ? t.hosts.none : t.hosts.noneFound) : section(t.hosts.pinned, found.slice(0, most).map((p) =>
      h("article", { class: "pin", key: pinId(p) }, about(ui, p),
        button(ui, t.hosts.forget, () => toggle(ui, `forget ${pinId(p)}`), { class: "text", label: t.hosts.forgetLabel(p.name) }))),
      found.length > most && h("p", { class: "dim center" }, t.more(found.length - most))),
  ];
}

function about(ui: Ui, p: Pin, when = t.hosts.since): Child {
  return [
    h("h3", {}, outside(p.name, 96)),
    fingerprint(p.fingerprint, p.keyType),
    h("p", { class: "dim small" }, when(date(p.unix, ui.now), outside(p.by, 32)), " ", t.hosts.how[p.proof]),
    p.scope !== "" && h("p", { class: "dim small" }, t.hosts.only(outside(computerName(ui, p.scope) || p.by, 32))),
  ];
}

export function forgetSheet(ui: Ui): Node | null {
  const p = ui.view.pins.find((x) => ui.state.open.has(`forget ${pinId(x)}`));
  if (!p) return null;
  const id = `forget ${pinId(p)}`;
  const close = (): void => ui.change((s) => s.open.delete(id));
  return sheet(ui, { key: id, arms: id, class: "over", role: "alertdialog", label: "forget-title", close }, (ui) => [
    heading("forget-title", id, t.hosts.forgetTitle(outside(p.name, 96))), h("p", {}, t.hosts.forgetSays),
    h("footer", {}, h("div", { class: "answer" },
      button(ui, t.cancel, close),
      button(ui, t.hosts.forget, { id, run: async () => {
        await ui.actions.forgetHost(p);
        close();
      } }, { class: "danger", off: !ui.arm.ready(id) }))),
  ]);
}
