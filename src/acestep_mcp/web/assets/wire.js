// The engine, as this page speaks to it. Every address begins with the page's own, so that a proxy's path stays before it.
const BASE = location.origin + location.pathname.replace(/\/?$/, "/");
const KEPT = { key: `acestep key ${BASE}`, songs: `acestep songs ${BASE}`, form: `acestep form ${BASE}` };
const FIRST_WORD = 5_000; // ms until a stream has said something; a proxy may hold it back until its end
const SILENCE = 40_000; // ms; the engine says something every 15 s

const at = (id) => document.getElementById(id);
const sleep = (time) => new Promise((done) => setTimeout(done, time));
const show = (element, visible = true) => { element.hidden = !visible; };

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  show(element, Boolean(text));
}

// What the engine would not do. `fields` are its complaints by field name.
class Refused extends Error {
  constructor(status, body) {
    const detail = body?.detail ?? `The engine answered ${status}.`;
    super(Array.isArray(detail) ? detail.map((one) => sentence(one.msg)).join(" ") : detail);
    this.status = status;
    this.fields = new Map(Array.isArray(detail) ? detail.map((one) => [one.loc?.[1], sentence(one.msg)]) : []);
  }
}

function sentence(text) {
  const whole = String(text);
  return whole[0].toUpperCase() + whole.slice(1) + (/[.!?]$/.test(whole) ? "" : ".");
}

function kept(store, name, otherwise) {
  try {
    return JSON.parse(store.getItem(name)) ?? otherwise;
  } catch { // not ours, or no storage is allowed here
    return otherwise;
  }
}

function keep(store, name, value) {
  try {
    store.setItem(name, JSON.stringify(value));
  } catch { /* no storage, or a full one: the page works without, until it is closed */ }
}

let key = kept(sessionStorage, KEPT.key, null) ?? kept(localStorage, KEPT.key, null);

// The reply, or Refused, or a TypeError when nobody answers.
async function call(method, path, { body, type = "application/json", signal } = {}) {
  const headers = key ? { authorization: `Key ${key}` } : {};
  if (body !== undefined) headers["content-type"] = type;
  const reply = await fetch(BASE + path, { method, headers, signal, body, cache: "no-store" });
  if (reply.ok) return reply;
  const refused = new Refused(reply.status, await reply.json().catch(() => null));
  if (reply.status === 401) lock(refused);
  throw refused;
}

const json = async (method, path, body) =>
  (await call(method, path, { body: body && JSON.stringify(body) })).json();

// The address the engine knows the file under. Its own name for itself may be a proxy's; what we fetch is beside us.
async function upload(file) {
  const wish = { file_name: file.name, content_type: file.type || "application/octet-stream" };
  const { upload_url, file_url } = await json("POST", "storage/upload/initiate", wish);
  await call("PUT", beside(upload_url, "put/"), { body: file, type: wish.content_type });
  return file_url;
}

const beside = (url, folder) => folder + encodeURIComponent(url.split("/").pop());

// A job's states as its stream tells them, until it ends. Throws when the stream breaks or falls silent.
async function* streamed(job) {
  const given = new AbortController();
  const patience = (time) => setTimeout(() => given.abort(new Error("silence")), time);
  let timer = patience(FIRST_WORD);
  try {
    const reply = await call("GET", `${job}/status/stream?logs=1`, { signal: given.signal });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      timer = patience(SILENCE);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) if (event.startsWith("data: ")) yield JSON.parse(event.slice(6));
    }
  } finally {
    clearTimeout(timer);
    given.abort();
  }
}
