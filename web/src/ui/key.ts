// One key: its name, which computers may use it, where it was used, its end.
import type { Key } from "../kept.ts";
import { t } from "../text/en.ts";
import { type Ui, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { keyCard } from "./keycard.ts";
import { nameForm } from "./naming.ts";
import { at, button, list, note, outside, row, section, toggleSwitch, topic } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { date } from "./when.ts";

const most = 50; // places that are shown

const asked = (k: Key): string => `delete ${k.fingerprint}`;

export function keyPage(ui: Ui, of: string): Child {
  const k = ui.view.keys.find((x) => x.fingerprint === of);
  if (!k) return [topic(ui, t.home.key, true), note("plain", "key", t.keyPage.gone)];
  return [
    topic(ui, outside(k.name, 48), true),
    keyCard(ui, k, false),
    nameForm(ui, `name ${of}`, t.naming.key, k.name, (name) => ui.actions.renameKey(of, name)),
    section(t.keyPage.seenBy, ui.view.computers.length === 0 ? h("p", { class: "dim" }, t.keyPage.noComputers) : list(ui.view.computers.map((c) =>
      toggleSwitch(ui, `see ${c.pairing} ${of}`, outside(c.name, 48), c.locked !== 0 && t.lock.locked, ui.actions.sees(c.pairing, of), (on) => ui.actions.see(c.pairing, of, on))))),
    section(t.keyPage.places, uses(ui, of)),
    h("div", { class: "stack apart" }, button(ui, t.keyPage.delete, () => toggle(ui, asked(k)), { class: "danger wide" })),
  ];
}

// The whole log is read when the page opens: the View has but its end.
function uses(ui: Ui, of: string): Child {
  const known = ui.state.uses;
  const look = (): void => ui.run(`uses ${of}`, async () => {
    const all = await ui.actions.uses(of);
    ui.change((s) => (s.uses = { of, all }));
  });
  return h("div", { class: "stack", key: of, mounted: look },
    known?.of !== of ? h("p", { class: "dim" }, t.keyPage.loading)
    : known.all.length === 0 ? h("p", { class: "dim" }, t.keyPage.nowhere)
    : [h("p", { class: "dim" }, t.keyPage.placesSays), rows(ui)]);
}

function rows(ui: Ui): Child {
  const all = ui.state.uses?.all ?? [];
  return [
    list(all.slice(0, most).map((p) => row(
      p.namespace ? [t.keyPage.signatures, " ", outside(p.namespace, 48)] : [outside(p.user, 48), at(), outside(p.host || p.hostKey || t.keyPage.noHost, 96)],
      { icon: p.namespace ? "sign" : "pin", sub: t.keyPage.last(date(p.last, ui.now)) }))),
    all.length > most && h("p", { class: "dim center" }, t.more(all.length - most)),
  ];
}

/** deleteSheet asks twice: only who has checked that there is another way in gets a button that works. */
export function deleteSheet(ui: Ui): Node | null {
  const k = ui.view.keys.find((x) => ui.state.open.has(asked(x)));
  if (!k) return null;
  const id = asked(k);
  const sure = `${id} sure`;
  const subject = `${id} ${ui.state.open.has(sure)}`;
  const close = (): void => ui.change((s) => [id, sure].forEach((x) => s.open.delete(x)));
  const others = (pairing: string): boolean => ui.view.keys.some((x) => x !== k && ui.actions.sees(pairing, x.fingerprint));
  const all = ui.state.uses?.of === k.fingerprint ? ui.state.uses.all : [];
  return sheet(ui, { key: id, arms: subject, class: "over", role: "alertdialog", label: "delete-title", close }, (ui) => [
    heading("delete-title", id, t.keyPage.title(outside(k.name, 48))),
    h("div", { class: "scroll", tabindex: 0 },
      note("danger", "alert", h("p", {}, t.keyPage.final), k.kind !== "plain" && h("p", {}, t.keyPage.passkey), ui.view.keys.length === 1 && h("p", {}, t.keyPage.only)),
      ui.view.computers.filter((c) => ui.actions.sees(c.pairing, k.fingerprint)).map((c) =>
        h("p", { key: c.pairing }, (others(c.pairing) ? t.keyPage.loses : t.keyPage.losesAll)(outside(c.name, 48)))),
      all.length > 0 ? [h("p", {}, t.keyPage.trust(all.length)), rows(ui)] : h("p", {}, t.keyPage.trustNot)),
    h("footer", {},
      h("label", { class: "check" }, h("input", { type: "checkbox", checked: ui.state.open.has(sure), onchange: () => toggle(ui, sure) }), h("span", {}, t.keyPage.sure)),
      h("div", { class: "answer" },
        button(ui, t.cancel, close),
        button(ui, t.keyPage.now, { id, run: async () => {
          if (!ui.state.open.has(sure)) return;
          await ui.actions.deleteKey(k.fingerprint);
          close();
          ui.back();
          ui.say(t.keyPage.deleted);
        } }, { class: "danger", off: !ui.state.open.has(sure) || !ui.arm.ready(subject) }))),
  ]);
}
