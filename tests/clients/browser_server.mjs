// One Chromium for many tests, each with a connection and contexts of its own: argv is the browser's path.
// Says the address for `chromium.connect` and runs until stdin is closed.
import { chromium } from "playwright-core";

const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"];
const server = await chromium.launchServer({ executablePath: process.argv[2], args });
console.log(server.wsEndpoint());
process.stdin.resume();
process.stdin.on("end", async () => {
  await server.close();
  process.exit(0);
});
