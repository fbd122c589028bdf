// The engine's page with an engine whose every text is markup: node page_hostile_engine.mjs PLAN, answers with what was seen.
import { createServer } from "node:http";

import { chromium } from "playwright-core";

import { active, elements, poisoned, watch } from "./hostile.mjs";

const { url, browser: endpoint, markup } = JSON.parse(process.argv[2]);
const KEPT = new Set(["url", "request_id", "status_url", "response_url", "cancel_url", "status", "content_type"]);
const browser = await chromium.connect(endpoint);
const stranger = createServer((_, answer) => {
  answer.setHeader("content-type", "text/html");
  answer.end(["", "health", "openapi.json"].map((path) => `<iframe src="${url}${path}"></iframe>`).join(""));
}).listen(0, "127.0.0.1");
const saw = { framed: [] };

try {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  watch(page, saw, (asked) => asked.startsWith(url) || /^(data|blob):/.test(asked));
  let running = true, refusal = null;
  const told = (route, status, body, contentType = "application/json") =>
    route.fulfill({ status, contentType, body: typeof body === "string" ? body : JSON.stringify(body) });
  await page.route("**/health", async (route) => told(route, 200, poisoned(await (await route.fetch()).json(), markup, new Set())));
  await page.route("**/fal-ai/**", async (route) => {
    const asked = route.request();
    if (asked.method() === "POST" && refusal) return told(route, 422, refusal);
    if (asked.url().includes("/status/stream") && running) {
      const state = { status: "IN_PROGRESS", logs: [{ message: markup, timestamp: markup, level: markup }] };
      return told(route, 200, `data: ${JSON.stringify(state)}\n\n`, "text/event-stream");
    }
    if (/requests\/[^/]+$/.test(asked.url()) && asked.method() === "GET") {
      const answer = await route.fetch(), body = await answer.json();
      const acestep = { ...body.acestep, notes: [markup], engine: markup, sections: [{ name: markup, start: 0, end: 3 }] };
      if (answer.ok()) return told(route, 200, poisoned({ ...body, acestep, audio: { ...body.audio, file_name: markup } }, markup, KEPT));
      return told(route, answer.status(), { detail: markup });
    }
    return route.continue();
  });
  await page.goto(url);
  await page.locator("#studio").waitFor();
  const own = await elements(page);
  const make = async (tags) => {
    await page.getByLabel("Tags", { exact: true }).fill(tags);
    await page.getByLabel("Duration", { exact: true }).fill("6");
    await page.getByRole("button", { name: "Make the song" }).click();
  };
  await make(markup);
  await page.locator(".song[data-state=running] .stage", { hasText: "<" }).waitFor();
  saw.running = await page.locator(".song .stage").first().textContent();
  running = false;
  await page.locator(".song[data-state=done]").waitFor();
  await page.locator(".song .heard").scrollIntoViewIfNeeded();
  await page.locator(".song .heard .stage:not([data-busy])").waitFor();
  saw.done = await page.locator(".song").first().innerText();
  saw.about = await page.locator("#engine").textContent();
  saw.download = await page.locator(".song [data-act=download]").getAttribute("download");
  refusal = { detail: [{ loc: ["body", "tags"], msg: markup, type: markup }, { loc: ["body", markup], msg: markup, type: markup }] };
  await make("lofi");
  await page.locator("[aria-invalid=true]").first().waitFor();
  saw.refused = await page.locator("#studio").innerText();
  saw.elements = await elements(page) - own;
  saw.active = await active(page);

  const frame = await context.newPage();
  await frame.goto(`http://127.0.0.1:${stranger.address().port}/`);
  await frame.waitForLoadState("load");
  for (const one of frame.frames().slice(1)) saw.framed.push(await one.evaluate(() => document.body?.innerText ?? "").catch(() => ""));
} finally {
  await browser.close();
  stranger.close();
}
process.stdout.write(JSON.stringify(saw));
