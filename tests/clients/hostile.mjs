// What a page does with texts that are markup.
const ADDED = "script, iframe, object, embed, base, form, img, style, link, meta, math, template";

// The same answer with the markup in each of its texts, but for what the page asks the server with.
export function poisoned(value, markup, kept) {
  if (typeof value === "string") return `${value} ${markup}`;
  if (Array.isArray(value)) return value.map((one) => poisoned(one, markup, kept));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, kept.has(name) ? one : poisoned(one, markup, kept)]));
}

// Note in `saw` what the page opens, breaks and asks others for.
export function watch(page, saw, own) {
  Object.assign(saw, { dialogs: [], elsewhere: [], broken: [] });
  page.on("dialog", (dialog) => { saw.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on("request", (asked) => { if (!own(asked.url())) saw.elsewhere.push(asked.url()); });
  page.on("pageerror", (error) => saw.broken.push(error.message));
  page.on("console", (said) => { if (/content security|refused to|trusted/i.test(said.text())) saw.broken.push(said.text()); });
}

export const elements = (frame) => frame.evaluate((added) => document.querySelectorAll(added).length, ADDED);

// Attributes that would run a script, and whether one ran.
export const active = (frame) => frame.evaluate(() => [
  ...[...document.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()
    .filter((name) => name.startsWith("on") || /^\s*(javascript|vbscript|data:text)/i.test(one.getAttribute(name)))),
  ...(window.xss ? ["it ran"] : []),
]);
