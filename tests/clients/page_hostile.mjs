// Songs whose every text is markup, in a real browser: node page_hostile.mjs PLAN, answers with what was seen as JSON.
import { createServer } from "node:http";

import { chromium } from "playwright-core";

const { url, browser: endpoint, token } = JSON.parse(process.argv[2]);
const browser = await chromium.connect(endpoint);
const saw = { dialogs: [], elsewhere: [], broken: [], songs: 0, elements: 0, text: "", framed: [] };

const stranger = createServer((_, answer) => {
  answer.setHeader("content-type", "text/html");
  answer.end(`<iframe src="${url}"></iframe><iframe src="${url}health"></iframe><iframe src="${url}gallery/tracks"></iframe>`);
}).listen(0, "127.0.0.1");
await new Promise((done) => stranger.once("listening", done));

try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("dialog", (dialog) => { saw.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on("request", (asked) => { if (!asked.url().startsWith(url) && !/^(data|blob):/.test(asked.url())) saw.elsewhere.push(asked.url()); });
  page.on("pageerror", (error) => saw.broken.push(error.message));
  page.on("console", (said) => { if (/content security|refused to|trusted/i.test(said.text())) saw.broken.push(said.text()); });
  await page.goto(url);
  const own = await page.evaluate(() => document.querySelectorAll("script, iframe, object, embed, base, form, img, style, link, meta").length);
  await page.locator("#token").fill(token);
  await page.locator("#token").press("Enter");
  await page.locator("#rows li").first().waitFor();
  for (let number = 0; number < await page.locator("#rows .open").count(); number++) {
    await page.locator("#rows .open").nth(number).click();
    await page.locator(".stage:not([data-busy])").waitFor();
    saw.text += await page.locator("body").innerText();
    saw.songs += 1;
  }
  const now = await page.evaluate(() => document.querySelectorAll("script, iframe, object, embed, base, form, img, style, link, meta").length);
  saw.elements = now - own;
  saw.handlers = await page.evaluate(() => [...document.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()
    .filter((name) => name.startsWith("on") || /^\s*(javascript|vbscript|data:text)/i.test(one.getAttribute(name)))));
  saw.ran = await page.evaluate(() => [window.xss, document.title === "xss"].filter(Boolean));

  const frame = await context.newPage();
  await frame.goto(`http://127.0.0.1:${stranger.address().port}/`);
  await frame.waitForLoadState("load");
  for (const one of frame.frames().slice(1)) saw.framed.push(await one.evaluate(() => document.body?.innerText ?? "").catch(() => ""));
  saw.cookies = (await context.cookies(url)).map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite }));
} finally {
  await browser.close();
  stranger.close();
}
process.stdout.write(JSON.stringify(saw));
