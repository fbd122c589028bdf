// A person at the player in a chat: node page_player.mjs PLAN, answers with what was seen as JSON.
//
// The songs, the page and every tools/call of the page come from a real server, through the official client.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { chromium } from "playwright-core";

import { chat } from "./player_host.mjs";

const { scene, url, browser: endpoint, folder } = JSON.parse(process.argv[2]);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const HOSTILE = `${scene}, <img src=x onerror=alert(1)>, ` + "waltz, piano, ".repeat(12);
const LYRICS = `[verse]
Rain on the window, the kettle is on
I hum the old tune till the shadows are gone
${"a very long line without an end ".repeat(8)}

[chorus]
Stay a little longer, the night is still young
There is nowhere to be and there's nowhere to go

[outro]
Stay`;
const APPS = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
const saw = { elsewhere: [], broken: [] };

const client = new Client({ name: "acestep-tests", version: "0" }, { versionNegotiation: { mode: "auto" }, capabilities: { extensions: APPS } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const call = (name, given) => client.callTool({ name, arguments: given }, { timeout: 50_000 });
async function made(given) {
  const { structuredContent: job, content } = await call("text_to_audio", { duration: 12, lyrics: LYRICS, ...given });
  if (job?.status !== "COMPLETED") throw new Error(JSON.stringify(content));
  return job.track.id;
}
const ids = [await made({ tags: HOSTILE, seed: 1 }), await made({ tags: HOSTILE, seed: 2 })];
const result = await call("play_track", { track_id: ids[1] });
const { contents: [{ text: html }] } = await client.readResource({ uri: "ui://acestep/player.html" });
const server = (method, params) => (method === "tools/call" ? client.callTool(params) : client.readResource(params));

const browser = await chromium.connect(endpoint);

async function open({ width = 720, ...more } = {}) {
  const page = await (await browser.newContext({ viewport: { width, height: 700 } })).newPage();
  page.setDefaultTimeout(20_000);
  page.on("request", (asked) => { if (!/^(data|about|blob):/.test(asked.url())) saw.elsewhere.push(asked.url()); });
  page.on("pageerror", (error) => saw.broken.push(error.message));
  page.on("console", (said) => { if (/content security|refused to|trusted/i.test(said.text())) saw.broken.push(said.text()); });
  const app = await chat(page, { server, html, result, given: { track_id: ids[1] }, ...more });
  return { page, app, ready: () => app.locator(".stage:not([data-busy])").waitFor() };
}
const messages = (page) => page.evaluate(() => window.saw.messages);
const slider = (app) => app.getByRole("slider", { name: "Position in the song" });
const at = (app) => slider(app).evaluate((one) => Number(one.ariaValueNow));

async function audit(page) {
  const frame = page.frames()[1], colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await frame.evaluate(AXE); // it does not see through the frame to what the host paints behind it
  await frame.evaluate((behind) => { document.documentElement.style.background = behind; }, colour);
  const { violations } = await frame.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 120)} ${node.failureSummary.slice(0, 200)}`));
}

// What can be measured of the layout: each thing to press, boxes that scroll, and text that is cut off sideways.
const layout = (app) => app.locator("html").evaluate((root) => {
  const shown = (one) => one.checkVisibility() && !one.closest(".unseen");
  const small = [...root.querySelectorAll("button, .strip label, .match, .volume, .waveform, input[type=range]")].filter(shown)
    .map((one) => [one.ariaLabel ?? one.textContent, one.getBoundingClientRect()])
    .filter(([, box]) => box.width < 44 || box.height < 44).map(([name, box]) => `${name} ${box.width}x${box.height}`);
  const scrolls = [...root.querySelectorAll("body *")].filter((one) => /auto|scroll/.test(getComputedStyle(one).overflow)).map((one) => one.className);
  const { backgroundColor: body } = getComputedStyle(root.querySelector("body")), { backgroundColor: page } = getComputedStyle(root);
  return { small, scrolls, body, page, sideways: root.scrollWidth - innerWidth, below: root.scrollHeight - innerHeight };
});

const scenes = {
  async look() {
    saw.looks = [];
    for (const [theme, width] of [["light", 320], ["dark", 480], ["light", 720], ["dark", 1280]]) {
      const { page, app, ready } = await open({ theme, width });
      await ready();
      if (folder) await page.screenshot({ path: `${folder}/${theme}-${width}.png` });
      const look = { theme, width, ...await layout(app), serious: await audit(page) };
      await app.getByRole("tab", { name: "About" }).click();
      look.serious.push(...await audit(page));
      if (width === 720) { // the host changes its theme while the page is open
        await page.evaluate(() => window.theme("dark"));
        await app.locator("html[data-theme=dark]").waitFor();
        look.serious.push(...await audit(page));
      }
      saw.looks.push({ ...look, sizes: await page.evaluate(() => window.saw.sizes) });
      await page.context().close();
    }
  },

  async keys() {
    const { page, app, ready } = await open({ server: hostile });
    await ready();
    saw.order = await page.evaluate(() => window.saw.order.slice(0, 3));
    saw.images = await app.locator("img, script:not(head *, body > script), i:not([hidden])").count();
    saw.lyrics = await app.locator(".lyrics").innerText();
    saw.stops = [];
    await app.getByRole("button", { name: "Play", exact: true }).focus();
    for (let stop = 0; stop < 11; stop++) {
      saw.stops.push(await app.locator(":focus").evaluate((one) => one.ariaLabel ?? (one.labels?.[0] ?? one).innerText.replace(/\s+/g, " ").trim()));
      await page.keyboard.press("Tab");
    }
    await slider(app).focus();
    const press = async (key) => { await page.keyboard.press(key); return at(app); };
    saw.moves = [];
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "Home", "PageUp", "PageDown", "End"]) saw.moves.push([key, await press(key)]);
    await press("Home");
    saw.text = await slider(app).evaluate((one) => one.ariaValueText);
    await page.keyboard.press("Space");
    await app.getByRole("button", { name: "Pause" }).waitFor();
    await app.locator(".time", { hasText: /^0:0[12]/ }).waitFor();
    await page.keyboard.press("1"); // the other take, at the same place and still playing
    await app.locator(".strip label", { hasText: "seed 1" }).locator("input:checked").waitFor({ state: "attached" });
    await ready();
    await app.getByRole("button", { name: "Pause" }).waitFor();
    saw.after = await at(app);
    await page.keyboard.press("Space");
    await app.getByRole("button", { name: "Play", exact: true }).waitFor();
    await page.waitForFunction(() => window.saw.messages.some((one) => one.method === "ui/update-model-context"));
    for (const key of ["Home", "PageUp"]) { // to the beginning of the verse, however long it has played
      await slider(app).focus();
      await press(key);
    }
    await app.getByRole("button", { name: "Loop" }).press("Enter");
    saw.loop = [await app.locator("button.loop").getAttribute("aria-label"), await app.locator(".mark.looped").count()];
    await app.getByRole("button", { name: "Another take" }).press("Enter");
    await app.getByRole("status").filter({ hasText: "Another take is made" }).waitFor();
    await ready();
    saw.takes = await app.locator(".strip label").count();
    saw.made = await app.locator(".strip label", { has: app.locator("input:checked") }).innerText();
    saw.busy = await app.getByRole("button", { name: "Another take" }).isDisabled();
    await app.getByRole("button", { name: "Save" }).press("Enter");
    await page.waitForFunction(() => window.saw.messages.some((one) => /open-link|download-file/.test(one.method)));
    saw.messages = (await messages(page)).map(({ method, params }) => [method, JSON.stringify(params).slice(0, 400)]);
    saw.ids = ids;
  },

  async sound() {
    const { page, app, ready } = await open({ result: matched(), server: soundAlone });
    await ready();
    // The frame's <audio> is in no document, so that the volume is read where it is set.
    await page.frames()[1].evaluate(() => {
      const { set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "volume");
      globalThis.volumes = [];
      Object.defineProperty(HTMLMediaElement.prototype, "volume", { set(value) { globalThis.volumes.push(value); set.call(this, value); } });
    });
    const volume = () => page.frames()[1].evaluate(() => globalThis.volumes.at(-1));
    await app.getByRole("slider", { name: "Volume" }).fill("100");
    saw.volumes = [await volume()];
    await app.getByRole("checkbox", { name: "Match loudness" }).uncheck();
    saw.volumes.push(await volume());
    const hushed = await open({ result: matched(-60), server: soundAlone });
    await hushed.ready();
    await hushed.page.frames()[1].evaluate(() => {
      const { set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "volume");
      Object.defineProperty(HTMLMediaElement.prototype, "volume", { set(value) { globalThis.lastVolume = value; set.call(this, value); } });
    });
    await hushed.app.getByRole("slider", { name: "Volume" }).fill("100");
    saw.besideAWhisper = await hushed.page.frames()[1].evaluate(() => globalThis.lastVolume);
  },

  async trouble() {
    const refused = { ...result, isError: true, structuredContent: undefined, content: [{ type: "text", text: "not_found: <b>no</b> such track" }] };
    const one = await open({ result: refused });
    saw.refused = await one.app.getByText("no such track").or(one.app.getByText("not_found")).innerText();
    let broken = true, dropped = false;
    const half = async (method, params) => {
      if (broken) return { isError: true, content: [{ type: "text", text: "storage: the file is gone" }] };
      const answer = await server(method, params);
      return dropped && method === "tools/call" ? { ...answer, _meta: undefined } : answer;
    };
    const two = await open({ server: half, capabilities: { serverTools: {}, serverResources: {} } });
    saw.failed = await two.app.getByRole("alert").innerText();
    saw.actions = await two.app.locator(".actions button").allInnerTexts();
    broken = false;
    dropped = true; // a host that passes no _meta on: the sound is read as a resource
    await two.app.getByRole("button", { name: "Try again" }).click();
    await two.ready();
    saw.alert = await two.app.getByRole("alert").isVisible();
    saw.asked = (await messages(two.page)).map(({ method }) => method);
    // A host that lets the page say something, and call no tool that makes a song.
    const three = await open({ server: async (method, params) => {
      if (params.name === "remake_track") throw Object.assign(new Error("not for pages"), { code: -32601 });
      return server(method, params);
    } });
    await three.ready();
    await three.app.getByRole("button", { name: "Another take" }).click();
    await three.app.getByRole("status").filter({ hasText: "Asked for another take" }).waitFor();
    saw.said = (await messages(three.page)).filter(({ method }) => method === "ui/message").map(({ params }) => params.content[0].text);
    saw.ids = ids;
    // A host with a price: the first press says it, the second one pays. Nothing is made here.
    const four = await open({ server: async (method, params) => {
      if (params.name === "status") return { content: [], structuredContent: { cost: { per_second_usd: 0.0002 } } };
      if (params.name === "remake_track") return { isError: true, content: [{ type: "text", text: "spend_limit: the limit is reached" }] };
      return server(method, params);
    } });
    await four.ready();
    const says = (words) => four.app.getByRole("status").filter({ hasText: words }).waitFor();
    const paid = async () => (await messages(four.page)).filter(({ params }) => params.name === "remake_track").length;
    await four.app.getByRole("button", { name: "Another take" }).click();
    await says("Another take costs about $0.0024.");
    saw.paid = [await paid()];
    await four.app.getByRole("button", { name: "Another take" }).click();
    await says("spend_limit: the limit is reached");
    saw.paid.push(await paid());
  },
};

// Words that would be markup, which no engine here gives.
async function hostile(method, params) {
  const answer = await server(method, params);
  for (const track of answer.structuredContent?.tracks ?? []) track.lyrics = `[verse]\n<i>Rain</i> <script>alert(1)</script>\n${track.lyrics}`;
  return answer;
}

async function soundAlone(method, params) {
  return { ...await server(method, params), structuredContent: undefined };
}

function matched(quietest = -16) {
  const tracks = result.structuredContent.tracks.map((track, index) => ({ ...track, lufs: index ? -10 : quietest }));
  return { ...result, structuredContent: { tracks } };
}

try {
  await scenes[scene]();
} finally {
  await browser.close();
  await client.close();
}
process.stdout.write(JSON.stringify(saw));
