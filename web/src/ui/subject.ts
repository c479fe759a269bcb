// What a request is for, in a line.
import type { Card } from "../core.d.ts";
import { t } from "../text/en.ts";
import type { Child } from "./dom.ts";
import { hostName } from "./group.ts";
import { at, outside } from "./parts.ts";

/** subject is root@server, or for what a signature is wanted. */
export function subject(card: Card): Child {
  if (card.namespace) return [t.card.signTitle, " ", outside(card.namespace, 32)];
  return [outside(card.user, 32), at(), outside(hostName(card) || card.host.fingerprint || t.card.noName, 48)];
}
