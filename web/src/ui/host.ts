// Which host a login is for, and how that is known: in words, and by shape.
import type { Card } from "../core.d.ts";
import { t } from "../text/en.ts";
import { lookalikes } from "./clean.ts";
import { type Ui, computerName } from "./context.ts";
import { type Child, type Node, h } from "./dom.ts";
import { type IconName, icon } from "./icon.ts";
import { fact, fingerprint, long, note, outside } from "./parts.ts";
import { type Known, cardId, known } from "./group.ts";
import { date } from "./when.ts";

const shown: Record<Known, { icon: IconName; tone: string }> = {
  proved: { icon: "proved", tone: "good" },
  vouched: { icon: "vouched", tone: "plain" },
  bound: { icon: "bound", tone: "plain" },
  reported: { icon: "reported", tone: "warn" },
  unknown: { icon: "unknown", tone: "warn" },
};

/** who is user@host, large. */
export function who(ui: Ui, card: Card): Child {
  const host = card.hostName;
  return [
    long(ui, `user ${cardId(card)}`, card.user, 32),
    h("span", { class: "at" }, "@"), h("wbr", {}),
    host ? long(ui, `host ${cardId(card)}`, host, 80) : h("span", { class: "nohost" }, t.card.noName),
    card.user.includes("@") && h("span", { class: "lookalike" }, t.card.atInUser),
    lookalikes(card.user) && h("span", { class: "lookalike" }, t.card.lookalike),
  ];
}

/** hostBox says how the host is known, and what is pinned. */
export function hostBox(ui: Ui, card: Card): Node {
  const how = known(card);
  const { tone, icon: name } = shown[how];
  return h("div", { class: `host ${tone}` },
    h("div", { class: "how" }, icon(name), h("p", {}, h("strong", {}, t.proof[how].word), " ", t.proof[how].says(outside(card.computer, 32)))),
    pinned(ui, card));
}

function pinned(ui: Ui, card: Card): Child {
  const { host } = card;
  if (host.fingerprint === "") return h("div", { class: "how" }, icon("unknown"), h("p", {}, t.card.noKey));
  const pin = card.pins.find((p) => p.fingerprint === host.fingerprint);
  const pins = host.local && (host.proof === "proved" || host.proof === "vouched"); // what is allowed gets pinned
  const words =
    card.known === "Match" && pin ? [h("strong", {}, t.card.pinnedSince(date(pin.unix, ui.now)))]
    : card.knownAs.length > 0 ? [h("strong", {}, t.card.keyKnown(outside(card.knownAs[0] ?? "", 64)))]
    : card.known === "New" && pins ? [h("strong", {}, t.card.firstTime), " ", t.card.willPin]
    : [h("strong", {}, t.card.neverSeen)];
  return h("div", { class: "how" }, icon("pin"), h("div", {},
    h("p", {}, words),
    card.called !== "" && h("p", {}, h("strong", {}, t.card.called(outside(card.computer, 32), outside(card.called, 64))), card.known === "New" && pins && [" ", t.card.willPinToo]),
    fingerprint(host.fingerprint, host.keyType)));
}

/** hostFacts are lines for people who look closer. */
export function hostFacts(card: Card, ui: Ui): Child {
  const also = card.knownAs.filter((n) => n !== card.hostName);
  const cert = card.host.cert;
  const from = cert?.validAfter ? date(cert.validAfter, ui.now) : "";
  const until = cert?.validBefore ? date(cert.validBefore, ui.now) : "";
  return [
    also.length > 0 && fact(t.card.alsoKnown, names(also)),
    cert && fact(t.card.cert, h("p", {}, t.card.certBy), fingerprint(cert.ca),
      h("p", {}, cert.principals.length > 0 ? [t.card.certFor, " ", names(cert.principals)] : t.card.certForAll),
      h("p", {}, t.card.certValid(from, until))),
  ];
}

function names(of: string[]): Child {
  const some = of.slice(0, 4).map((n, i) => [i > 0 && ", ", outside(n, 64)]);
  return [some, of.length > 4 && ` ${t.more(of.length - 4)}`];
}

/** forwarded warns of a request that may come from elsewhere than the computer. */
export function forwarded(ui: Ui, card: Card): Child {
  if (card.host.local) return null;
  const hops = card.host.path.map((fp) => {
    const pin = ui.view.pins.find((p) => p.fingerprint === fp && (p.scope === "" || p.scope === card.pairing));
    return pin ? outside(pin.name) : fingerprint(fp);
  });
  const computer = outside(computerName(ui, card.pairing) || card.computer, 32);
  const unsaid = card.namespace && hops.length === 0; // as with all that ssh-keygen asks for
  return note(unsaid ? "plain" : "warn", "forward", h("strong", {}, t.card.forwarded), " ", t.card.forwardedSays(computer),
    hops.length > 0 && h("p", { class: "hops" }, t.card.byWay, " ", hops.slice(0, 16).map((hop, i) => [i > 0 && " → ", hop])));
}
