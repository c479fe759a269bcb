// Settings: the phone's name, its keys, what it knows, and what to trust.
import type { Key } from "../kept.ts";
import { t } from "../text/en.ts";
import type { Theme } from "./care.ts";
import type { Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { choice } from "./filters.ts";
import { keyChoices } from "./keychoice.ts";
import { nameForm } from "./naming.ts";
import { button, fact, list, outside, row, section, topic } from "./parts.ts";
import { pushSettings } from "./push.ts";
import { reports } from "./report.ts";
import { roomSettings } from "./room.ts";
import { buildFacts, buildSays } from "./update.ts";

export function settings(ui: Ui): Child {
  const { view } = ui;
  return [
    topic(ui, t.tabs.settings),
    section(t.settings.phone, nameForm(ui, "rename", t.welcome.name, view.name, (name) => ui.actions.rename(name))),
    pushSettings(ui),
    looks(ui),
    section(t.home.keys, list(view.keys.map((k) => row(outside(k.name, 48), { icon: "key", sub: t.kind[k.kind].says, key: k.fingerprint, onclick: () => ui.go({ name: "key", fingerprint: k.fingerprint }), ...(k.kind === "plain" ? { tone: "warn" } : {}) })),
      row(t.settings.addKey, { icon: "plus", onclick: () => ui.go({ name: "addKey" }) }))),
    section(t.settings.known, list(row(t.hosts.title, {
      icon: "pin", sub: t.settings.hostsSub(view.pins.length, view.strange.length), onclick: () => ui.go({ name: "hosts" }),
      ...(view.strange.length > 0 ? { tone: "danger" } : {}),
    }))),
    roomSettings(ui),
    section(t.settings.trust, h("div", { class: "card prose" }, t.settings.trustSays.map((p) => h("p", {}, p)), h("p", {}, t.welcome.address1, " ", h("strong", {}, outside(location.host, 80)), t.welcome.address2))),
    section(t.settings.about, h("dl", { class: "facts card" },
      buildFacts(ui),
      fact(t.settings.address, outside(location.host, 80)),
      fact(t.settings.runs, t.settings.home[view.home])),
    buildSays(ui)),
    reports(ui),
  ];
}

function looks(ui: Ui): Child {
  return section(t.upkeep.theme, choice("theme", t.upkeep.theme, ui.view.theme, Object.entries(t.upkeep.themes), (to) => ui.actions.setTheme(to as Theme)));
}

/** freeName is a name that no key has. */
export function freeName(keys: Pick<Key, "name">[]): string {
  const taken = new Set(keys.map((k) => k.name.toLowerCase()));
  let n = keys.length + 1;
  while (taken.has(t.settings.keyDefault(n).toLowerCase())) n++;
  return t.settings.keyDefault(n);
}

export function addKey(ui: Ui): Child {
  return [
    topic(ui, t.settings.addKey, true),
    h("p", { class: "dim" }, t.settings.addKeySays),
    keyChoices(ui, t.settings.keyName, freeName(ui.view.keys), async (kind, name) => {
      await ui.actions.makeKey(kind, name);
      ui.back();
    }),
    button(ui, t.cancel, () => ui.back(), { class: "text wide" }),
  ];
}
