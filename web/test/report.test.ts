// What people copy for a report.
import assert from "node:assert/strict";
import { test } from "node:test";
import { full, now, plainKey, roomy } from "../gallery/fakes.ts";
import { blank, report } from "../src/ui/report.ts";
import type { View } from "../src/ui/view.ts";

test("a report has states and counts, and nothing that says who or where", () => {
  const view: View = {
    ...full, keys: [...full.keys, plainKey], name: "Ana's Pixel", theme: "dark",
    channels: { p1: [{ kind: "relay", name: "https://relay.example.com", up: true }, { kind: "sqs", name: "eu-central-1", up: false }] },
    troubles: [{ at: now, text: "WebSocket of wss://relay.example.com/v1/mailboxes/0a1b closed, laptop waits for Ana's Pixel" }],
  };
  const text = report(view, roomy, ["build-server at 10.1.2.3 and [fe80::1] says no to ana@mail.example"], "Mozilla/5.0 (Linux; Android 16)");
  for (const has of ["version: 0123456789abcdef", "browser: Mozilla/5.0 (Linux; Android 16)", "storage: kept, 4.3 MB of 5.8 GB", "keys: 1 wrapped, 1 plain", "1: relay up, sqs down", "2: no channel", "notifications: on", "log: 7 entries", "errors: 2", "2026-11-24T14:04:08", "closed, <name> waits for <name>"]) {
    assert.ok(text.includes(has), `${has} is not in\n${text}`);
  }
  const line = view.keys[0]?.line ?? "";
  for (const secret of ["relay.example", "eu-central", "0a1b", "laptop", "build-server", "Ana", "Pixel", "10.1.2.3", "fe80", "mail.example", "SHA256", "server.example", "p1", line]) {
    assert.ok(!text.includes(secret), `${secret} is in\n${text}`);
  }
});

test("errors lose what may be a secret, and keep their words", () => {
  const b = (text: string): string => blank(text, ["laptop"]);
  assert.equal(b("the relay says 503: try again"), "the relay says 503: try again");
  assert.equal(b("QuotaExceededError (10 MB)"), "QuotaExceededError (10 MB)");
  assert.equal(b("failed: HTTPS://phone.example/#AAEC laptop"), "failed: <address> <name>");
  assert.equal(b("key 5uNiVztksCsDhcc0u9e8BrQa3mBf+/= ends"), "key <…> ends");
  assert.equal(b("at relay.example:8443, 127.0.0.1:80"), "at <address>:8443, <address>:80");
  assert.equal(b("a\u202eb\n\tc"), "a b c");
  assert.equal(b("x ".repeat(5000)).length, 300);
});
