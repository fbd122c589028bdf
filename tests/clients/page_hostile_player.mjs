// The player in a chat with songs whose every text is markup: node page_hostile_player.mjs PLAN, answers with what was seen.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { chromium } from "playwright-core";

import { active, elements, poisoned, watch } from "./hostile.mjs";
import { chat } from "./player_host.mjs";

const { url, browser: endpoint, markup } = JSON.parse(process.argv[2]);
const KEPT = new Set(["id", "ids", "track_id", "uri", "url", "blob", "mimeType", "type", "content_type", "src", "audio", "jsonrpc"]);
const APPS = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
const client = new Client({ name: "acestep-tests", version: "0" }, { versionNegotiation: { mode: "auto" }, capabilities: { extensions: APPS } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const call = (name, given) => client.callTool({ name, arguments: given }, { timeout: 50_000 });
const { structuredContent: job } = await call("text_to_audio", { tags: "lofi", lyrics: "[verse]\nRain", duration: 6 });
const track_id = job.track.id, real = await call("play_track", { track_id });
const { contents: [{ text: html }] } = await client.readResource({ uri: "ui://acestep/player.html" });
const texts = { sections: [{ name: markup, start: 0, end: 3 }], notes: [markup], lyrics: `[${markup}]\n${markup}`, file_name: markup, engine: markup };
const hostile = (answer) => {
  const tracks = answer.structuredContent?.tracks?.map((track) => poisoned({ ...track, ...texts }, markup, KEPT));
  return tracks ? { ...answer, structuredContent: { ...poisoned(answer.structuredContent, markup, KEPT), tracks } } : answer;
};
const refused = { isError: true, content: [{ type: "text", text: markup }] };
let failing = false;
const server = async (method, params) => {
  if (failing) return refused;
  return hostile(method === "tools/call" ? await client.callTool(params) : await client.readResource(params));
};
const browser = await chromium.connect(endpoint);
const saw = {};

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  watch(page, saw, (asked) => /^(data|about|blob):/.test(asked));
  const app = await chat(page, { server, html, result: hostile(real), given: { track_id } });
  await app.locator(".stage:not([data-busy])").waitFor();
  const frame = page.frames()[1];
  const own = await page.evaluate((text) => {
    const inert = new DOMParser().parseFromString(text, "text/html");
    return inert.querySelectorAll("script, iframe, object, embed, base, form, img, style, link, meta, math, template").length;
  }, html) + 1; // and the host's policy
  saw.lyrics = await app.locator(".lyrics").innerText();
  await app.getByRole("tab", { name: "About" }).click();
  saw.text = await app.locator("body").innerText();
  failing = true;
  await app.getByRole("button", { name: "Another take" }).click();
  await app.getByRole("status").filter({ hasText: "<img" }).waitFor();
  saw.elements = await elements(frame) - own;
  saw.active = await active(frame);
  const failed = await (async () => {
    const other = await browser.newPage();
    const one = await chat(other, { server, html, result: { ...real, ...refused, structuredContent: undefined }, given: { track_id } });
    return one.getByText("<img").first().innerText();
  })();
  saw.failed = failed;
  saw.told = (await page.evaluate(() => window.saw.messages)).filter(({ method }) => method.startsWith("ui/")).map((one) => JSON.stringify(one.params));
} finally {
  await browser.close();
  await client.close();
}
process.stdout.write(JSON.stringify(saw));
