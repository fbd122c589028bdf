// Requests to the engine.
const KEPT = { key: `acestep key ${BASE}`, songs: `acestep songs ${BASE}`, form: `acestep form ${BASE}` };
const ANSWER = 8_000; // ms to an answer for which the engine has nothing to do
const FIRST_EVENT = 5_000; // ms to the first event of a stream; a proxy may buffer it until its end
const SILENCE = 40_000; // ms; the engine sends something every 15 s

// An error reply of the engine. `fields` are its messages by field name.
class Refused extends Error {
  constructor(status, body) {
    const detail = body?.detail ?? `The engine answered ${status}.`;
    super(Array.isArray(detail) ? detail.map((one) => sentence(one.msg)).join(" ") : detail);
    this.status = status;
    this.fields = new Map(Array.isArray(detail) ? detail.map((one) => [one.loc?.[1], sentence(one.msg)]) : []);
  }
}

function kept(store, name, otherwise) {
  try {
    return JSON.parse(store.getItem(name)) ?? otherwise;
  } catch { // not written by this page, or storage is not allowed
    return otherwise;
  }
}

function keep(store, name, value) {
  try {
    store.setItem(name, JSON.stringify(value));
  } catch { /* no storage, or it is full: the page works without it until it is closed */ }
}

let key = kept(sessionStorage, KEPT.key, null) ?? kept(localStorage, KEPT.key, null);

// The reply; throws Refused, a TypeError when there is no answer, or what `signal` was aborted with.
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

// The same for what is answered at once: a connection that stays silent is given up, so that it can be asked again.
async function answered(method, path) {
  const given = new AbortController(), timer = setTimeout(() => given.abort(new Error("the engine does not answer")), ANSWER);
  try {
    return await (await call(method, path, { signal: given.signal })).json();
  } finally {
    clearTimeout(timer);
  }
}

// The file's address at the engine. The engine may know itself by another name; requests go to addresses beside the page.
async function upload(file) {
  const request = { file_name: file.name, content_type: file.type || "application/octet-stream" };
  const { upload_url, file_url } = await json("POST", "storage/upload/initiate", request);
  await call("PUT", beside(upload_url, "put/"), { body: file, type: request.content_type });
  return file_url;
}

const beside = (url, folder) => folder + encodeURIComponent(url.split("/").pop());

// The states of a job from its stream, until it ends. Throws when the stream breaks or stays silent.
async function* streamed(job) {
  const given = new AbortController();
  const startTimer = (time) => setTimeout(() => given.abort(new Error("silence")), time);
  let timer = startTimer(FIRST_EVENT);
  try {
    const reply = await call("GET", `${job}/status/stream?logs=1`, { signal: given.signal });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      timer = startTimer(SILENCE);
      const events = (text + value).split("\n\n");
      text = events.pop();
      for (const event of events) if (event.startsWith("data: ")) yield JSON.parse(event.slice(6));
    }
  } finally {
    clearTimeout(timer);
    given.abort();
  }
}
