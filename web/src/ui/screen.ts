// Which screen is shown.
import { t } from "../text/en.ts";
import { activity } from "./activity.ts";
import { computer, computers } from "./computers.ts";
import type { Page, Tab, Ui } from "./context.ts";
import { type Child, h } from "./dom.ts";
import { home } from "./home.ts";
import { hosts } from "./hosts.ts";
import { type IconName, icon } from "./icon.ts";
import { keyPage } from "./key.ts";
import { banners, toasts } from "./messages.ts";
import { pairPage, scanPage, steps } from "./pair.ts";
import { addKey, settings } from "./settings.ts";
import { busy, dead, loading } from "./start.ts";
import { safariTab, welcome } from "./welcome.ts";

const tabs: { tab: Tab; icon: IconName }[] = [
  { tab: "home", icon: "home" }, { tab: "activity", icon: "activity" }, { tab: "computers", icon: "computers" }, { tab: "settings", icon: "settings" },
];
const screens: Record<Tab, (ui: Ui) => Child> = { home, activity, computers, settings };

export function screen(ui: Ui): Child {
  const { view, state } = ui;
  const main = (key: string, ...children: Child[]): Child => [h("main", { key, class: key.startsWith("tab") ? "tabbed" : "" }, children), toasts(ui)];
  switch (view.phase) {
    case "loading": return main("loading", loading());
    case "dead": return main("dead", banners(ui), dead(ui));
    case "busy": return main("busy", busy(ui));
    case "ready":
  }
  if (view.home === "tab" && !state.insist && view.computers.length === 0) return main("safari", safariTab(ui));
  if (view.keys.length === 0) return main("welcome", welcome(ui));
  const p = view.pairing;
  if (p && !state.left.has(p.id || p.link)) return main("steps", steps(ui, p));
  const page = state.pages.at(-1);
  if (page) return main(`page ${page.name}`, page.name !== "scan" && page.name !== "pair" && banners(ui), pageOf(ui, page));
  return [
    main(`tab ${state.tab}`, state.tab !== "home" && banners(ui), screens[state.tab](ui)),
    h("nav", { "aria-label": t.navigation }, tabs.map((x) =>
      h("button", {
        type: "button", key: x.tab, "aria-current": state.tab === x.tab ? "page" : undefined,
        onclick: () => {
          ui.change((s) => (s.tab = x.tab));
          scrollTo(0, 0);
        },
      }, icon(x.icon), h("span", {}, t.tabs[x.tab])))),
  ];
}

function pageOf(ui: Ui, page: Page): Child {
  switch (page.name) {
    case "pair": return pairPage(ui);
    case "scan": return scanPage(ui);
    case "computer": return computer(ui, page.pairing);
    case "key": return keyPage(ui, page.fingerprint);
    case "hosts": return hosts(ui);
    case "addKey": return addKey(ui);
  }
}
