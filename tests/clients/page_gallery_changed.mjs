// A gallery that stays open while songs and sessions go: node page_gallery_changed.mjs PLAN, answers with what was seen as JSON.
import { chromium } from "playwright-core";

const { url, browser: endpoint, token } = JSON.parse(process.argv[2]);
const browser = await chromium.connect(endpoint);
const saw = { broken: [] };
const ask = (method, path) => fetch(`${url}gallery/${path}`, { method, headers: { authorization: `Bearer ${token}` } });

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } }), page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => saw.broken.push(error.message));
  const rows = page.locator("#rows li"), ready = () => page.locator(".stage:not([data-busy])").waitFor();
  const back = () => Promise.all([
    page.waitForResponse((one) => one.url().includes("gallery/tracks?")),
    page.evaluate(() => document.dispatchEvent(new Event("visibilitychange"))),
  ]);
  await page.goto(url);
  await page.locator("#token").fill(token);
  await page.keyboard.press("Enter");
  await rows.first().waitFor();
  const first = await rows.count();
  await page.locator("#more").click();
  await page.waitForFunction((before) => document.querySelectorAll("#rows li").length > before, first);
  saw.rows = [first, await rows.count()];
  await back();
  saw.rows.push(await rows.count());
  await rows.last().locator(".open").click();
  await ready();
  await page.locator("#delete").click();
  await page.locator("#toast:visible").waitFor();
  await page.waitForFunction((before) => document.querySelectorAll("#rows li").length < before, saw.rows[1]);
  saw.rows.push(await rows.count());
  await page.goto(`${url}#%`);
  saw.unknown = await page.locator("#away:visible").innerText();
  // Another take is deleted elsewhere, and then the session ends.
  await page.goto(`${url}#parent`);
  await page.waitForFunction(() => document.querySelectorAll("#player .strip label").length === 2);
  await ready();
  await ask("DELETE", "tracks/child");
  await page.locator("#player .strip label").nth(1).click();
  saw.gone = await page.locator(".problem:visible").innerText();
  await context.clearCookies();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("#token-form").waitFor();
  saw.rows.push(await rows.count());
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(saw));
