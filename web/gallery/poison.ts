// Evil texts in every field of a View that people or computers can fill.
import type { View } from "../src/ui/view.ts";

// Words are the fields of a View whose values are the app's own words.
type Words<T, At extends string = ""> = T extends string ? (string extends T ? never : At)
  : T extends readonly (infer E)[] ? Words<E, At>
  : T extends object ? { [K in keyof T]: Words<T[K], string extends K ? `${At}.*` : `${At}.${K & string}`> }[keyof T] : never;

/** words are those fields, which stay. The compiler holds them against View. */
const words: Record<Words<View>, true> = {
  ".phase": true, ".cause": true, ".theme": true, ".putOff": true, ".home": true, ".keys.kind": true, ".channels.*.kind": true, ".push.state": true, ".pairing.step": true, ".pairing.place.kind": true, ".build.kept": true,
  ".cards.host.proof": true, ".cards.known": true, ".ended.card.host.proof": true, ".ended.card.known": true, ".ended.why": true,
  ".alarms.type": true, ".alarms.card.host.proof": true, ".alarms.card.known": true, ".alarms.code": true, ".unlocks.card.host.proof": true, ".unlocks.card.known": true, ".unlocks.rule.scope": true, ".rules.scope": true, ".log.decision": true,
};

const attacks = [
  `"><img src=x onerror="window.pwned=1"><svg onload="window.pwned=1"><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
  `javascript:window.pwned=1`, `</style></script><script>window.pwned=1</script>`, `' onclick='window.pwned=1' style='background:url(/x)`, `\${window.pwned=1}{{window.pwned=1}}`,
];
const names = /\.(pairing|request|id|fingerprint)$/; // by which screens find what they have open

/** poison is view with an attack in each string that is no word of the app, another one by n; without those of ids what is open stays open. */
export function poison(view: View, n: number, ids: boolean): View {
  let at = n;
  const walk = (v: unknown, path: string): unknown => {
    if (typeof v === "string") return Object.hasOwn(words, path) || (!ids && names.test(path)) ? v : attacks[at++ % attacks.length];
    if (Array.isArray(v)) return v.map((e) => walk(e, path));
    if (typeof v !== "object" || v === null) return v;
    const map = path === ".channels" || path === ".air";
    return Object.fromEntries(Object.entries(v).map(([k, e]) => [k, walk(e, `${path}.${map ? "*" : k}`)]));
  };
  return walk(view, "") as View;
}

/** attacked lists what an attack came to. */
export function attacked(violations: string[]): string[] {
  const out = violations.map((v) => `the policy was violated: ${v}`);
  if ("pwned" in window) out.push("a text was executed");
  for (const el of Array.from(document.querySelectorAll("*"))) {
    const tag = el.tagName.toLowerCase();
    if (/^(img|iframe|object|embed|style|base|animate|set)$/.test(tag) || (tag === "script" && el.getAttribute("src") !== "gallery.mjs")) out.push(`there is a ${tag}`);
    for (const { name, value } of Array.from(el.attributes)) {
      if (name.startsWith("on") || name === "action" || name === "formaction" || name === "srcdoc" || (/^(href|src|xlink:href)$/.test(name) && /^\s*(javascript|data):/i.test(value)) || (name === "style" && value.includes("url("))) out.push(`${tag} has ${name}=${value}`);
    }
  }
  return out;
}
