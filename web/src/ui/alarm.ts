// Logins that were refused because of their host: a changed key fills the
// screen, and trusting it takes more than a tap.
import type { Alarm, Pin } from "../core.d.ts";
import { t } from "../text/en.ts";
import { type Ui, computerName, toggle } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { cardId } from "./group.ts";
import { icon } from "./icon.ts";
import { button, fingerprint, outside } from "./parts.ts";
import { heading, sheet } from "./sheet.ts";
import { subject as about } from "./subject.ts";
import { date } from "./when.ts";

export function alarmSheet(ui: Ui): Node | null {
  const alarm = ui.view.alarms[0];
  if (!alarm) return null;
  return alarm.code === "forwarded" ? forwardedSheet(ui, alarm) : changedSheet(ui, alarm);
}

function changedSheet(ui: Ui, alarm: Alarm): Node {
  const { card } = alarm;
  const close = (): void => ui.actions.dismiss(alarm);
  const downgraded = card.known === "Downgraded";
  const texts = downgraded ? t.alarm.downgraded : card.known === "NewType" ? t.alarm.newType : t.alarm.changed;
  const strange = downgraded ? undefined : ui.view.strange.find((p) => p.name === card.name && ["", card.pairing].includes(p.scope) && p.fingerprint === card.host.fingerprint);
  return sheet(ui, { key: `alarm ${cardId(card)}`, arms: cardId(card), class: "alarm", role: "alertdialog", label: "alarm-title", close: undefined }, (ui) => [
    h("div", { class: "scroll", tabindex: -1 },
      h("div", { class: "big" }, icon("alert")),
      heading("alarm-title", cardId(card), texts.title),
      h("p", { class: "where" }, about(card, 48, 96)),
      h("p", {}, h("strong", {}, t.alarm.refused), " ", texts.says(outside(computerName(ui, card.pairing) || card.computer, 32))),
      !downgraded && h("div", { class: "keys" },
        h("h2", {}, t.alarm.expected),
        card.pins.slice(0, 8).map((p) => [fingerprint(p.fingerprint, p.keyType), h("p", { class: "small" }, t.alarm.since(date(p.unix, ui.now), outside(p.by, 32)))]),
        h("h2", {}, t.alarm.seen), fingerprint(card.host.fingerprint, card.host.keyType), h("p", { class: "small" }, t.alarm.now)),
      h("h2", {}, t.alarm.meansTitle), h("ul", {}, texts.means.map((m) => h("li", {}, m))),
      h("h2", {}, t.alarm.doTitle), h("p", {}, texts.todo),
      strange && trust(ui, strange, `alarm ${cardId(card)}`, close)),
    h("footer", {}, button(ui, t.alarm.keep, close, { class: "primary wide" })),
  ]);
}

/**
 * trust asks twice: what leads there is opened first, then checked, and only
 * then there is a button that works, after a moment.
 */
export function trust(ui: Ui, pin: Pin, id: string, done: () => void): Child {
  const opened = `trust ${id}`;
  const compared = `compared ${id}`;
  const open = ui.state.open.has(opened);
  const sure = ui.state.open.has(compared);
  const subject = `${opened} ${sure}`;
  return [
    button(ui, t.alarm.know, () => toggle(ui, opened), { class: "text", expanded: open }),
    open && h("div", { class: "trust", mounted: (el) => el.scrollIntoView({ block: "nearest" }) },
      h("p", {}, t.alarm.compare(outside(pin.name, 64))),
      fingerprint(pin.fingerprint, pin.keyType),
      h("label", { class: "check" },
        h("input", { type: "checkbox", checked: sure, onchange: () => toggle(ui, compared) }), h("span", {}, t.alarm.compared)),
      button(ui, t.alarm.trust, {
        id: subject,
        run: async () => {
          if (!ui.arm.ready(subject)) return;
          await ui.actions.trustHost(pin);
          ui.change((s) => [opened, compared].forEach((x) => s.open.delete(x)));
          done();
        },
      }, { class: "danger wide", off: !sure || !ui.arm.ready(subject) })),
  ];
}

function forwardedSheet(ui: Ui, alarm: Alarm): Node {
  const { card } = alarm;
  const close = (): void => ui.actions.dismiss(alarm);
  const computer = outside(computerName(ui, card.pairing) || card.computer, 32);
  const hops = card.host.path.map((fp) => ui.view.pins.find((p) => p.fingerprint === fp)?.name ?? fp);
  return sheet(ui, { key: `alarm ${cardId(card)}`, arms: cardId(card), class: "over", role: "alertdialog", label: "alarm-title", close }, (ui) => [
    h("div", { class: "scroll", tabindex: -1 },
      h("div", { class: "big warn" }, icon("forward")),
      heading("alarm-title", cardId(card), t.alarm.forwarded.title),
      h("p", { class: "where" }, about(card, 48, 96)),
      h("p", {}, t.alarm.forwarded.says(computer)),
      hops.length > 0 && h("p", { class: "hops" }, t.card.byWay, " ", hops.slice(0, 16).map((hop, i) => [i > 0 && " → ", outside(hop)])),
      h("p", { class: "dim" }, t.alarm.forwarded.risk)),
    h("footer", {},
      button(ui, t.alarm.keep, close, { class: "primary wide" }),
      button(ui, t.alarm.forwarded.ask, {
        id: `forward ${card.pairing}`,
        run: async () => {
          await ui.actions.forward(card.pairing, true);
          close();
        },
      }, { class: "text wide" })),
  ]);
}
