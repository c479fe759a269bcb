// What is used of Web Bluetooth, which TypeScript's DOM does not have:
// https://webbluetoothcg.github.io/web-bluetooth/
import type { Bytes } from "../bytes.ts";

export interface Characteristic extends EventTarget {
  readonly value?: DataView; // as the last notification brought it
  startNotifications(): Promise<Characteristic>;
  writeValueWithResponse(value: Bytes): Promise<void>;
}
export interface Service {
  readonly uuid: string;
  getCharacteristic(uuid: string): Promise<Characteristic>;
}
export interface Server {
  readonly connected: boolean;
  connect(): Promise<Server>;
  disconnect(): void; // Chromium: not what still connects
  getPrimaryServices(): Promise<Service[]>; // of those that were asked for
}
export interface Device extends EventTarget {
  readonly gatt?: Server;
}
export interface Bluetooth extends EventTarget {
  getAvailability(): Promise<boolean>; // whether there is an adapter; Chromium does not say whether it is on
  requestDevice(options: { filters: { services: string[] }[] }): Promise<Device>;
}

/** bluetooth is the browser's, or undefined: iOS, Firefox, pages that did not come by https. */
export function bluetooth(): Bluetooth | undefined {
  return (globalThis.navigator as { bluetooth?: Bluetooth } | undefined)?.bluetooth;
}
