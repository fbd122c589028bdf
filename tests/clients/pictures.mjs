// The pictures in docs/, of a server that makes drafts: node tests/clients/pictures.mjs URL CHROMIUM FOLDER
//
// URL is the server's MCP address; its music folder should be empty.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { chromium } from "playwright-core";

import { chat } from "./player_host.mjs";

const [, , url, executablePath, folder] = process.argv;
const FOLK = {
  tags: "indie folk, acoustic guitar, soft drums, warm, 96 bpm",
  lyrics: `[verse]
Rain on the window, the kettle is on
I hum the old tune till the shadows are gone
Your coat on the hook and your key on the shelf
I talk to the radio, talk to myself

[chorus]
Stay a little longer, the night is still young
There's a word for the feeling on the tip of my tongue
Stay a little longer, the lights are turned low
There is nowhere to be and there's nowhere to go

[verse]
Steam on the mirror, a name that I drew
The clock in the hallway is waiting for you

[chorus]
Stay a little longer, the night is still young
Stay a little longer, the lights are turned low`,
  duration: 64,
};
const LOFI = {
  tags: "lofi hip hop, warm rhodes, 82 bpm, female vocal",
  lyrics: `[verse]
Rain on the window, light on the wall
Coffee gone cold and nobody calls

[chorus]
Stay a little longer, let the record turn
Slow is how we go and slow is how we learn

[verse]
Streetlamp humming in an open key
Every passing headlight plays a melody

[chorus]
Stay a little longer, let the record turn
Slow is how we go and slow is how we learn`,
  duration: 60,
  seed: 7,
};
const OTHERS = ["techno, dark, 132 bpm, acid bass", "bossa nova, nylon guitar, brushes, late evening", "orchestral, cinematic, strings, slow build",
  "country waltz, pedal steel, 3/4", "drum and bass, liquid, pads, 174 bpm"];
const APPS = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };

const client = new Client({ name: "pictures", version: "0" }, { versionNegotiation: { mode: "auto" }, capabilities: { extensions: APPS } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
async function made(tool, given) {
  let { structuredContent: job, content } = await client.callTool({ name: tool, arguments: given }, { timeout: 50_000 });
  while (["NEW", "IN_QUEUE", "IN_PROGRESS"].includes(job?.status)) {
    ({ structuredContent: job, content } = await client.callTool({ name: "get_job", arguments: { job_id: job.job_id } }, { timeout: 50_000 }));
  }
  if (job?.status !== "COMPLETED") throw new Error(JSON.stringify(content));
  return job.track.id;
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"] });
// Play from the beginning of the first chorus for some seconds.
async function listen(page, place) {
  await place.locator(".stage:not([data-busy])").waitFor();
  const slider = place.getByRole("slider", { name: "Position in the song" });
  const now = () => slider.evaluate((one) => Number(one.ariaValueNow));
  for (let press = 0; press < 9 && !/chorus/.test(await slider.evaluate((one) => one.ariaValueText)); press++) await slider.press("PageUp");
  const begin = await now();
  await slider.press("Space");
  await place.getByRole("button", { name: "Pause" }).waitFor({ timeout: 20_000 });
  for (let look = 0; look < 100 && await now() < begin + 4; look++) await page.waitForTimeout(200);
  await slider.blur();
}

async function player(track, theme, width, path) {
  const context = await browser.newContext({ viewport: { width, height: 700 }, deviceScaleFactor: 1.25 });
  const page = await context.newPage();
  const result = await client.callTool({ name: "play_track", arguments: { track_id: track } });
  const { contents: [{ text: html }] } = await client.readResource({ uri: "ui://acestep/player.html" });
  const server = (method, params) => (method === "tools/call" ? client.callTool(params) : client.readResource(params));
  await listen(page, await chat(page, { server, html, theme, result, given: { track_id: track } }));
  await page.locator("iframe").screenshot({ path: `${folder}/${path}` });
  await context.close();
}

async function gallery(title, path) {
  const page = await (await browser.newContext({ viewport: { width: 1240, height: 800 } })).newPage();
  await page.goto(new URL("/", url).href);
  await page.locator("#rows .open", { hasText: title }).last().click();
  await listen(page, page);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${folder}/${path}` });
}

try {
  const source = { audio_url: await made("text_to_audio", LOFI), tags: LOFI.tags };
  for (const tags of OTHERS) await made("text_to_audio", { tags, duration: 30, seed: 1 });
  await made("audio_inpaint", { ...source, start_time: 20, end_time: 32, lyrics: "Stay a little longer, let the record turn" });
  await made("audio_outpaint", { ...source, extend_after_duration: 15 });
  await gallery("lofi", "gallery.png");
  const takes = [];
  for (const seed of [11, 42, 77]) takes.push(await made("text_to_audio", { ...FOLK, seed }));
  await player(takes[2], "light", 720, "player-light.png");
  await player(takes[2], "dark", 400, "player-dark.png");
} finally {
  await browser.close();
  await client.close();
}
