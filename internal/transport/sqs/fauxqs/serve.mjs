// Listens on a unix socket: the only way in or out, where there is no network.
import { buildApp } from "fauxqs";

await buildApp({ logger: false }).listen({ path: process.argv[2] });
console.log("ready");
