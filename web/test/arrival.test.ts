import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrival } from "../src/arrival.ts";

test("a link that comes before the phone works, or while another tab is it, is opened when it does, once", () => {
  let ready = false;
  const opened: string[] = [];
  const links = new Arrival(() => ready, (link) => opened.push(link));
  links.came("first");
  links.came(); // a hash of nothing
  links.came("second");
  assert.deepEqual(opened, []);
  ready = true;
  links.came();
  links.came();
  links.came("third");
  assert.deepEqual(opened, ["second", "third"]);
});
