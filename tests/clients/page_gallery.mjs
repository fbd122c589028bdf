// A person at the gallery, in a real browser: node page_gallery.mjs PLAN, answers with what was seen as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const { url, browser: executablePath, token, picture } = JSON.parse(process.argv[2]);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"];
const browser = await chromium.launch({ executablePath, args });
const saw = { elsewhere: [], broken: [], audits: [], wide: [] };

async function open(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("request", (asked) => { if (!asked.url().startsWith(url) && !/^(data|blob):/.test(asked.url())) saw.elsewhere.push(asked.url()); });
  page.on("pageerror", (error) => saw.broken.push(error.message));
  page.on("console", (said) => { if (/content security|refused to|trusted/i.test(said.text())) saw.broken.push(said.text()); });
  await page.goto(url);
  return page;
}
const ready = (page) => page.locator(".stage:not([data-busy])").waitFor();

// The page's own policy keeps axe-core out, so it runs in a world of its own.
async function audit(page, what) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  await session.send("Runtime.evaluate", { expression: AXE, contextId });
  const expression = `axe.run().then(({ violations, passes }) => ({ passed: passes.length, found: violations
    .filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => one.id + ": " + one.nodes[0].html) }))`;
  const { result } = await session.send("Runtime.evaluate", { expression, contextId, awaitPromise: true, returnByValue: true });
  saw.audits.push({ what, ...result.value });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) saw.wide.push(what);
}

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await open(context), keyboard = page.keyboard;
  await page.locator("#token-form").waitFor();
  await audit(page, "token");
  // By keyboard alone from here.
  await page.waitForFunction(() => document.activeElement.id === "token");
  await keyboard.type("wrong");
  await keyboard.press("Enter");
  saw.refused = await page.locator("#token-error:visible").innerText();
  await page.locator("#token").selectText();
  await keyboard.type(token);
  await keyboard.press("Enter");
  await page.locator("#rows li").first().waitFor();
  saw.stored = await page.evaluate(() => [document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)].join(""));
  saw.titles = await page.locator("#rows .name").allInnerTexts();
  const focused = async (selector, key = "Tab") => {
    for (let pressed = 0; pressed < 40; pressed++) {
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
      await keyboard.press(key);
    }
    throw new Error(`the keyboard does not reach ${selector}`);
  };
  await focused("#query");
  await keyboard.type("EXTENDED");
  await page.waitForFunction(() => document.querySelectorAll("#rows li").length === 1);
  await focused("#rows .open");
  await keyboard.press("Enter");
  await ready(page);
  saw.takes = await page.locator(".strip label").allInnerTexts();
  saw.lyrics = await page.locator("#player .panel").innerText();
  saw.markup = await page.locator("#song img, #song b:not(.player b), #rows img").count();
  await focused(".waveform");
  await keyboard.press("ArrowRight");
  saw.position = await page.getByRole("slider", { name: "Position in the song" }).getAttribute("aria-valuenow");
  await keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector(".player").dataset.playing === "true");
  await keyboard.press("Space");
  await focused("#versions a");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#versions .relation")?.textContent === "extended");
  await ready(page);
  saw.original = await page.title();
  if (picture) {
    await page.locator("#query").fill("");
    await page.waitForFunction(() => document.querySelectorAll("#rows li").length > 1);
    await page.screenshot({ path: picture });
  }
  await focused("#download");
  const [download] = await Promise.all([page.waitForEvent("download"), keyboard.press("Enter")]);
  saw.download = download.suggestedFilename();
  await focused("#delete");
  await keyboard.press("Enter");
  await page.locator("#toast:visible").waitFor();
  saw.said = await page.locator("#said").innerText();
  await focused("#undo");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("said").textContent.endsWith("is back."));
  const address = page.url();
  for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 320], ["dark", 320], ["dark", 700]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${url}#`);
    await page.reload();
    await page.locator("#rows li").first().waitFor();
    await audit(page, `list, ${colorScheme}, ${width}`);
    await page.locator("#rows .open").first().click();
    await ready(page);
    await audit(page, `song, ${colorScheme}, ${width}`);
    if (width < 860) {
      await page.getByRole("button", { name: "All songs" }).click();
      await page.locator("#list").waitFor();
    }
  }
  await page.getByRole("button", { name: "Log out" }).click();
  await page.locator("#token-form").waitFor();
  await page.goto(address);
  await page.locator("#token-form").waitFor();
  saw.left = await page.locator("body").innerText();
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(saw));
