// What every page uses. Addresses begin with the page's own, so that a proxy's path is kept.
const BASE = location.origin + location.pathname.replace(/\/?$/, "/");

const at = (id) => document.getElementById(id);
const sleep = (time) => new Promise((done) => setTimeout(done, time));
const show = (element, visible = true) => { element.hidden = !visible; };

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  show(element, Boolean(text));
}

function copy(id) {
  return at(id).content.firstElementChild.cloneNode(true);
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function sentence(text) {
  const whole = String(text);
  return whole[0].toUpperCase() + whole.slice(1) + (/[.!?]$/.test(whole) ? "" : ".");
}
