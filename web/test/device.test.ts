// What a device is called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceName } from "../src/device.ts";

const android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15";
const model = (model: string) => ({ getHighEntropyValues: () => Promise.resolve({ model }) });

test("a phone is called by its model, if that is a name", async () => {
  assert.equal(await deviceName({ userAgent: android, userAgentData: model("Pixel 9") }), "Pixel 9");
  for (const number of ["SM-S911B", "2201123G", ""]) assert.equal(await deviceName({ userAgent: android, userAgentData: model(number) }), "Android phone", number);
  assert.equal(await deviceName({ userAgent: android, userAgentData: { getHighEntropyValues: () => Promise.reject(new Error("not allowed")) } }), "Android phone");
  assert.equal((await deviceName({ userAgent: android, userAgentData: model("x".repeat(500)) })).length, 64);
});

test("other devices are called by what the browser says", async () => {
  for (const [userAgent, maxTouchPoints, name] of [
    [android, 5, "Android phone"], [android.replace("Mobile ", ""), 5, "Android tablet"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15", 5, "iPhone"], [mac, 0, "Mac"], [mac, 5, "iPad"],
    ["Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", 0, "Chromebook"], ["Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", 0, "Linux browser"],
    ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", 0, "Windows browser"], ["", 0, "Browser"],
  ] as const) assert.equal(await deviceName({ userAgent, maxTouchPoints }), name);
  assert.equal(await deviceName({ userAgent: mac }), "Mac"); // in a worker
});
