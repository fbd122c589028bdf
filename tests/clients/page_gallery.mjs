// A person at the gallery, in a real browser: node page_gallery.mjs PLAN, answers with what was seen as JSON.
import { chromium } from "playwright-core";

import { audit, focused } from "./audit.mjs";

const { url, browser: endpoint, token, picture } = JSON.parse(process.argv[2]);
const browser = await chromium.connect(endpoint);
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

async function check(page, what) {
  const { wide, ...result } = await audit(page);
  saw.audits.push({ what, ...result });
  if (wide) saw.wide.push(what);
}

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await open(context), keyboard = page.keyboard;
  await page.locator("#token-form").waitFor();
  await check(page, "token");
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
  await focused(page, "#query");
  await keyboard.type("EXTENDED");
  await page.waitForFunction(() => document.querySelectorAll("#rows li").length === 1);
  await focused(page, "#rows .open");
  await keyboard.press("Enter");
  await ready(page);
  saw.takes = await page.locator(".strip label").allInnerTexts();
  saw.lyrics = await page.locator("#player .panel").innerText();
  saw.markup = await page.locator("#song img, #song b:not(.player b), #rows img").count();
  await focused(page, ".waveform");
  await keyboard.press("ArrowRight");
  saw.position = await page.getByRole("slider", { name: "Position in the song" }).getAttribute("aria-valuenow");
  await keyboard.press("Space");
  await page.waitForFunction(() => document.querySelector(".player").dataset.playing === "true");
  await keyboard.press("Space");
  await focused(page, "#versions a");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#versions .relation")?.textContent === "extended");
  await ready(page);
  saw.original = await page.title();
  if (picture) {
    await page.locator("#query").fill("");
    await page.waitForFunction(() => document.querySelectorAll("#rows li").length > 1);
    await page.screenshot({ path: picture });
  }
  await focused(page, "#download");
  const [download] = await Promise.all([page.waitForEvent("download"), keyboard.press("Enter")]);
  saw.download = download.suggestedFilename();
  await focused(page, "#delete");
  await keyboard.press("Enter");
  await page.locator("#toast:visible").waitFor();
  saw.said = await page.locator("#said").innerText();
  await focused(page, "#undo");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("said").textContent.endsWith("is back."));
  const address = page.url();
  for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 320], ["dark", 320], ["dark", 700]]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${url}#`);
    await page.reload();
    await page.locator("#rows li").first().waitFor();
    await check(page, `list, ${colorScheme}, ${width}`);
    await page.locator("#rows .open").first().click();
    await ready(page);
    await check(page, `song, ${colorScheme}, ${width}`);
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
