// Text from outside (names of computers, users, hosts, programs, keys) is
// hostile: what cannot be seen is made visible, what is long is cut.

// Controls, formats (bidi, zero width), line ends, private and unassigned
// characters, lone surrogates, and letters and marks that have no shape.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]/gu;
const marks = /(\p{M}{2})\p{M}+/gu; // more would climb over the lines above

/** clean shows every character of text: "a\u202eb" is "a‹202E›b", and spaces that would vanish are "␣". */
export function clean(text: string): string {
  return text
    .replace(/\p{Zs}/gu, " ")
    .replace(unseen, (c) => `‹${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}›`)
    .replace(marks, "$1")
    .replace(/ (?= )|^ | $/g, "␣");
}

/** cut is the beginning of clean(text), at most max characters, and whether that is all. */
export function cut(text: string, max: number): { text: string; all: boolean } {
  const some = Array.from(clean(text.slice(0, 2 * max + 2)));
  if (text.length <= 2 * max + 2 && some.length <= max) return { text: some.join(""), all: true };
  return { text: some.slice(0, max - 1).join("") + "…", all: false };
}

/** lookalikes reports whether text has letters that can pass for others, as "раypal" in Cyrillic. */
export function lookalikes(text: string): boolean {
  return /[^\x20-\x7e]/.test(text.slice(0, 4096));
}
