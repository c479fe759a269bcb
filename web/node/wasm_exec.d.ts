// Comes with Go; internal/webbuild says where it is. It defines globalThis.Go.
declare module "wasm_exec" {}
