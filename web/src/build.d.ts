// What internal/webbuild puts in.

/** QR_WASM is the path of the reader of QR codes. */
declare const QR_WASM: string;

/** BLUETOOTH is the path of src/ble/radio.ts. */
declare const BLUETOOTH: string;

/** ICON is the path of the icon of notifications. */
declare const ICON: string;

/** PHONE_WASM is the path of the core at this origin. */
declare const PHONE_WASM: string;

/** FILES are all files of this build but the worker that has this: their SHA-256, in base64, by path. */
declare const FILES: Record<string, string>;

// Comes with Go. It defines globalThis.Go.
declare module "wasm_exec" {}
