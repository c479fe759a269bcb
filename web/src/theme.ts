// Light or dark: as the system has it, unless a person chose.
import { recall, remember } from "./localnotes.ts";
import type { Theme } from "./ui/care.ts";

const name = "theme";
const system = "(prefers-color-scheme: dark)";

/** theme is what was chosen. */
export function theme(): Theme {
  const chosen = recall(name);
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/** choose keeps a choice, and shows it. */
export function choose(to: Theme): void {
  remember(name, to === "system" ? "" : to);
  show();
}

let rules: CSSMediaRule[] | undefined; // for the dark

/** show shows the page as it was chosen: the rules for the dark hold always, never, or as the system has it. */
export function show(): void {
  const now = theme();
  rules ??= Array.from(document.styleSheets).filter((s) => s.href?.startsWith(location.origin)).flatMap((s) => Array.from(s.cssRules)).filter((r) => r instanceof CSSMediaRule && r.conditionText.includes("prefers-color-scheme")) as CSSMediaRule[];
  for (const r of rules) r.media.mediaText = now === "system" ? system : now === "dark" ? "all" : "not all";
  document.documentElement.style.colorScheme = now === "system" ? "" : now;
  for (const m of Array.from(document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]"))) {
    const of = (m.dataset["of"] ??= m.media.includes("dark") ? "dark" : "light");
    m.media = now === "system" ? `(prefers-color-scheme: ${of})` : of === now ? "all" : "not all";
  }
}
