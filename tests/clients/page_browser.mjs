// A person at the engine's page, in a real browser: node page_browser.mjs PLAN, answers with what was seen as JSON.
import { createServer, request } from "node:http";

import { chromium } from "playwright-core";

import { audit, focused } from "./audit.mjs";

const { scene, url, browser: endpoint, key, file, port } = JSON.parse(process.argv[2]);
const browser = await chromium.connect(endpoint);
const waiting = new Set(); // requests without an answer, for who reads why a test failed
const saw = { elsewhere: [], broken: [], audits: [] };

async function open(address = url, context) {
  context ??= await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  for (const event of ["requestfinished", "requestfailed"]) page.on(event, (asked) => waiting.delete(asked));
  page.on("request", (asked) => {
    waiting.add(asked);
    if (!asked.url().startsWith(new URL(address).origin) && !asked.url().startsWith("data:")) saw.elsewhere.push(asked.url());
  });
  page.on("pageerror", (error) => saw.broken.push(error.message));
  page.on("console", (said) => { if (/content security|refused to/i.test(said.text())) saw.broken.push(said.text()); });
  await page.goto(address);
  return page;
}

const studio = (page) => page.locator("#studio").waitFor();
const choose = (page, name) => page.getByRole("radio", { name }).check();
const card = (page, title) => page.locator(".song", { has: page.getByRole("heading", { name: title, exact: true }) });
const fill = async (page, given) => {
  for (const [label, value] of Object.entries(given)) await page.getByLabel(label, { exact: true }).fill(String(value));
};
const make = (page) => page.getByRole("button", { name: "Make the song" }).click();
const state = (page, title, wanted) => page.waitForFunction(([title, wanted]) =>
  [...document.querySelectorAll(".song")].some((one) => one.querySelector("h3").textContent === title && one.dataset.state === wanted),
[title, wanted]);

// The player of a song, once it can play; it is played for a moment.
async function played(page, title) {
  const one = card(page, title), slider = one.getByRole("slider", { name: "Position in the song" });
  await one.locator(".heard").scrollIntoViewIfNeeded();
  await one.locator(".heard .stage:not([data-busy])").waitFor();
  await one.getByRole("button", { name: "Play", exact: true }).click();
  await page.waitForFunction((shown) => Number(shown.ariaValueNow) > 0, await slider.elementHandle());
  await one.getByRole("button", { name: "Pause", exact: true }).click();
  return {
    seconds: Number(await slider.getAttribute("aria-valuemax")),
    src: await one.getByRole("link", { name: "Download" }).evaluate((link) => link.href),
    error: await one.locator(".problem").isVisible() ? await one.locator(".problem").innerText() : null,
  };
}

// What axe-core finds in each theme, at each width.
async function check(page, what, widths = [1280, 320], themes = ["light", "dark"]) {
  for (const width of widths) {
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      saw.audits.push({ what: `${what}, ${colorScheme}, ${width}`, ...await audit(page) });
    }
  }
}

const textOf = (page, title) => card(page, title).innerText();
const song = async (page, title, more = {}) => {
  await fill(page, { Tags: title, Duration: 6, ...more });
  await make(page);
  await state(page, title, "done");
};

const scenes = {
  async song() {
    const page = await open();
    await studio(page);
    const title = "lofi, <img src=x onerror=alert(1)>, piano";
    await page.evaluate(() => {
      window.seen = [];
      new MutationObserver(() => {
        for (const one of document.querySelectorAll(".song")) {
          const bar = one.querySelector("progress");
          window.seen.push([one.dataset.state, one.querySelector(".stage").textContent, bar.hasAttribute("value") ? bar.position : null]);
        }
      }).observe(document.getElementById("songs"), { subtree: true, childList: true, attributes: true, characterData: true });
    });
    await song(page, title, { Duration: 30, Lyrics: "[verse]\nRain on <b>the</b> window" });
    saw.seen = await page.evaluate(() => window.seen);
    saw.audio = await played(page, title);
    saw.text = await textOf(page, title);
    saw.lyrics = await card(page, title).locator(".panel").innerText();
    saw.images = await page.locator("#songs img, #songs .lyrics b").count();
    const link = card(page, title).getByRole("link", { name: "Download" });
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    saw.download = download.suggestedFilename();
    saw.said = await page.locator("#said").textContent();
    if (process.env.ENGINE_PICTURE) await page.screenshot({ path: process.env.ENGINE_PICTURE });
    saw.sketch = await page.locator("#sketch").isVisible();
    await page.locator("#queue[data-is=idle]").waitFor();
    await page.reload();
    await state(page, title, "done");
    saw.again = await played(page, title);
    saw.kept = await page.evaluate(() => Object.values(localStorage).join());
    await card(page, title).getByRole("button", { name: "Remove" }).click();
    await page.reload();
    await page.locator("#empty").waitFor();
  },

  // No mouse: a song is made, played, sought in and cancelled with the keyboard.
  async keyboard() {
    const page = await open(), { keyboard } = page;
    await studio(page);
    const write = async (name, text) => {
      await focused(page, `#field-${name}`);
      await page.evaluate(() => document.activeElement.select());
      await keyboard.type(text);
    };
    const press = async (selector, name) => {
      await focused(page, selector);
      saw.pressed = [...(saw.pressed ?? []), await page.evaluate(() => document.activeElement.innerText || document.activeElement.ariaLabel)];
      await keyboard.press(name);
    };
    const submit = () => press("#make", "Enter");
    await write("tags", "by hand");
    await write("duration", "6");
    await submit();
    await state(page, "by hand", "done");
    await page.locator(".heard .stage:not([data-busy])").waitFor();
    await press(".heard .waveform", "ArrowRight");
    saw.position = await page.getByRole("slider", { name: "Position in the song" }).getAttribute("aria-valuenow");
    await keyboard.press("Space");
    await page.waitForFunction(() => document.querySelector(".player").dataset.playing === "true");
    await keyboard.press("Space");
    await page.waitForFunction(() => document.querySelector(".player").dataset.playing !== "true");
    await check(page, "song");
    await focused(page, "#ways input");
    await keyboard.press("ArrowRight");
    saw.way = await page.locator("#ways input:checked").inputValue();
    await keyboard.press("ArrowLeft");
    await write("tags", "long");
    await write("duration", "240");
    await submit();
    await page.locator(".song", { hasText: "long" }).getByRole("button", { name: "Cancel" }).waitFor();
    await check(page, "making", [320]);
    await press("[data-act=cancel]", "Enter");
    await state(page, "long", "cancelled");
    for (const [number, radio] of (await page.locator("#ways input").all()).entries()) {
      await radio.check();
      await page.locator("#options").evaluate((options) => { options.open = true; });
      await check(page, await radio.inputValue(), [320], [number % 2 ? "light" : "dark"]);
    }
  },

  async fields() {
    const page = await open();
    await studio(page);
    const problem = (label) => page.getByLabel(label, { exact: true }).evaluate((input) => ({
      invalid: input.ariaInvalid, focused: document.activeElement === input,
      error: document.getElementById(input.getAttribute("aria-describedby").split(" ")[1]).innerText,
    }));
    await fill(page, { Duration: 3 });
    await make(page);
    await page.locator(".error:visible").first().waitFor();
    saw.tags = await problem("Tags");
    saw.duration = await problem("Duration");
    await fill(page, { Tags: "piano", Duration: 6 });
    saw.mended = [await problem("Tags"), await problem("Duration")];
    await page.locator("#options summary").click();
    await fill(page, { "Number of steps": 99 });
    await page.locator("#options summary").click();
    await make(page);
    await page.locator("#more .error:visible").waitFor();
    saw.steps = await problem("Number of steps");
    saw.songs = await page.locator(".song").count();
    saw.ways = [];
    for (const radio of await page.locator("#ways input").all()) {
      await radio.check();
      const labels = await page.locator("#compose").evaluate((form) => [...form.querySelectorAll("input, select, textarea")]
        .filter((one) => !one.labels?.length && !one.ariaLabel && one.ariaHidden !== "true").map((one) => one.outerHTML));
      saw.ways.push({ id: await radio.inputValue(), title: await page.locator("#make-title").innerText(), labels,
        fields: await page.locator("#compose [id^=field-]").evaluateAll((all) => all.map((one) => one.id.slice(6))) });
    }
  },

  async cancel() {
    const page = await open();
    await studio(page);
    const titles = ["first", "second", "third"];
    for (const title of titles) {
      await fill(page, { Tags: title, Duration: 240 });
      await make(page);
      await card(page, title).waitFor();
    }
    await card(page, "third").getByText("1 ahead in the queue").waitFor();
    await page.locator("#queue", { hasText: "Busy, 2 waiting" }).waitFor();
    for (const title of titles.reverse()) {
      await card(page, title).getByRole("button", { name: "Cancel" }).click();
      await state(page, title, "cancelled");
    }
    saw.texts = await Promise.all(titles.map((title) => textOf(page, title)));
    await card(page, "second").getByRole("button", { name: "Same settings" }).click();
    saw.settings = [await page.getByLabel("Tags", { exact: true }).inputValue(), await page.getByLabel("Duration", { exact: true }).inputValue()];
  },

  async edits() {
    const page = await open();
    await studio(page);
    await choose(page, "Audio inpaint");
    await page.getByLabel("Sound file").setInputFiles(file);
    await fill(page, { Tags: "strings", "Start time": 1, "End time": 3 });
    await make(page);
    await state(page, "strings", "done");
    saw.inpainted = await played(page, "strings");
    await card(page, "strings").getByRole("button", { name: "Use as source" }).click();
    await choose(page, "Audio outpaint");
    await choose(page, "A song from here");
    await page.getByRole("combobox", { name: "Song from here" }).selectOption({ label: "strings" });
    await fill(page, { Tags: "strings, longer", "Extend after duration": 4 });
    await make(page);
    await state(page, "strings, longer", "done");
    saw.extended = await played(page, "strings, longer");
    await card(page, "strings, longer").getByRole("button", { name: "Use as source" }).click();
    await choose(page, "Audio to audio");
    await choose(page, "A song from here");
    await page.getByRole("combobox", { name: "Song from here" }).selectOption({ label: "strings, longer" });
    saw.original = await page.getByLabel("Original tags").inputValue();
    await page.getByLabel("Sound file").setInputFiles({ name: "no.wav", mimeType: "audio/wav", buffer: Buffer.from("no sound") });
    await choose(page, "A file");
    await fill(page, { Tags: "not from this" });
    await make(page);
    await state(page, "not from this", "failed");
    saw.failed = await textOf(page, "not from this");
  },

  async key() {
    const context = await browser.newContext(), page = await open(url, context);
    await page.locator("#key-form").waitFor();
    await check(page, "key", [320]);
    saw.hidden = !(await page.locator("#studio").isVisible());
    const enter = async (given) => { await fill(page, { Key: given }); await page.getByRole("button", { name: "Open" }).click(); };
    await enter("not the key");
    saw.refused = await page.locator("#key-error:visible").innerText();
    await enter(key);
    await studio(page);
    await song(page, "private piano");
    saw.audio = await played(page, "private piano");
    saw.stored = await page.evaluate(() => ({ local: Object.values(localStorage), session: Object.values(sessionStorage) }));
    await page.reload();
    await state(page, "private piano", "done");
    const other = await open(url, context); // another tab has the list, and not the key
    await other.locator("#key-form").waitFor();
    saw.other = await other.locator("body").innerText();
    await page.getByRole("button", { name: "Forget key" }).click();
    await page.locator("#key-form").waitFor();
    await page.getByLabel("Remember it in this browser").check();
    await enter(key);
    await studio(page);
    saw.remembered = await page.evaluate(() => Object.values(localStorage));
    await studio(await open(url, context));
    await page.getByRole("button", { name: "Forget key" }).click();
    await page.locator("#key-form").waitFor();
    saw.forgotten = await page.evaluate(() => [...Object.values(localStorage), ...Object.values(sessionStorage)]);
  },

  async trouble() {
    const page = await open();
    await studio(page);
    await page.route("**/status/stream*", (route) => route.abort());
    await song(page, "polled");
    await page.unroute("**/status/stream*");
    saw.polled = await played(page, "polled");
    await page.route("**/fal-ai/ace-step", (route) => route.abort());
    await fill(page, { Tags: "lost" });
    await make(page);
    saw.unknown = await page.locator("#refusal:visible").innerText();
    saw.songs = await page.locator(".song").count();
    await page.route("**/health", (route) => route.abort());
    await page.locator("#away:visible").waitFor();
    saw.away = await page.locator("#queue").innerText();
    await page.unroute("**/health");
    await page.locator("#queue[data-is=idle]").waitFor();
    saw.back = !(await page.locator("#away").isVisible());
    let held = 0;
    await page.route("**/storage/auth/token", (route) => { if (held++) route.continue(); });
    await page.clock.install();
    await page.reload();
    await page.waitForFunction(() => document.querySelector("#queue").dataset.is === "idle");
    while (!held) await page.evaluate(() => new Promise(requestAnimationFrame));
    await page.clock.fastForward(12_000);
    await studio(page);
    saw.asked = held;
  },

  // Behind a proxy that has the engine below a path, and asked for without the final slash.
  async prefix() {
    const proxy = createServer((asked, reply) => {
      if (!asked.url.startsWith("/music")) {
        saw.elsewhere.push(asked.url);
        reply.writeHead(404).end();
        return;
      }
      const target = new URL(asked.url.slice("/music".length) || "/", url);
      asked.pipe(request(target, { method: asked.method, headers: asked.headers }, (answer) => {
        reply.writeHead(answer.statusCode, answer.headers);
        answer.pipe(reply);
      }).on("error", () => reply.destroy()));
    });
    await new Promise((done) => proxy.listen(port, "127.0.0.1", done));
    for (const address of [`http://127.0.0.1:${port}/music`, url]) { // and past it, where the engine's own name differs
      const page = await open(address);
      await studio(page);
      await choose(page, "Audio inpaint");
      await page.getByLabel("Sound file").setInputFiles(file);
      await fill(page, { Tags: "below", "Start time": 1, "End time": 3 });
      await make(page);
      await state(page, "below", "done");
      (saw.audio ??= []).push(await played(page, "below"));
    }
    proxy.closeAllConnections();
    proxy.close();
  },
};

try {
  await scenes[scene]();
} catch (error) {
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    console.error(await page.evaluate(() => `${location.href}, ${document.visibilityState}: ${document.body.innerText}`));
  }
  console.error("Without an answer:", [...waiting].map((asked) => `${asked.method()} ${asked.url()}`));
  throw error;
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(saw));
