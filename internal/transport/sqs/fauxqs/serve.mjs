// Prints where it listens: on loopback alone, which fauxqs by itself does not.
import { buildApp } from "fauxqs";

const app = buildApp({ logger: false });
console.log(await app.listen({ port: 0, host: "127.0.0.1" }));
