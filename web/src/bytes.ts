// Bytes as text: base64 in the contract, hex in URLs.
import type { Base64 } from "./core.d.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export function toBase64(b: Bytes): Base64 {
  let s = "";
  for (const x of b) s += String.fromCharCode(x);
  return btoa(s);
}

export function fromBase64(s: Base64): Bytes {
  const text = atob(s);
  const b = new Uint8Array(text.length);
  for (let i = 0; i < b.length; i++) b[i] = text.charCodeAt(i); // Uint8Array.from takes ten times as long
  return b;
}

export function toHex(b: Bytes): string {
  return Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
}
