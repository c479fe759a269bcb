// Bytes as text: base64 in the contract, hex in URLs.
import type { Base64 } from "./core.d.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export function toBase64(b: Bytes): Base64 {
  let s = "";
  for (const x of b) s += String.fromCharCode(x);
  return btoa(s);
}

export function fromBase64(s: Base64): Bytes {
  return Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
}

export function toHex(b: Bytes): string {
  return Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
}
