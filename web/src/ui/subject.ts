// What a request is for, in a line.
import type { Card } from "../core.d.ts";
import { t } from "../text/en.ts";
import type { Child } from "./dom.ts";
import { at, outside } from "./parts.ts";

/** subject is root@server, or for what a signature is wanted; user and host are how much is shown of each. */
export function subject(card: Card, user = 32, host = 48): Child {
  if (card.namespace) return [t.card.signTitle, " ", outside(card.namespace, user)];
  return [outside(card.user, user), at(), outside(card.hostName || card.host.fingerprint || t.card.noName, host)];
}
