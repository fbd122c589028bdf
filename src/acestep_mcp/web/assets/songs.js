// The list of songs: each is followed until it ends, also after a reload.
const MOST = 50; // songs that the list remembers
const ENDED = new Set(["done", "failed", "cancelled", "gone"]);
let songs = []; // newest first: { id, endpoint, asked, at } is stored; state, result and the rest are fetched again
let streaming = null; // one stream per page: a browser allows six connections per host, over all tabs
let opened = false, entering = false;
let heard = 0; // when the engine last said its state

const finished = () => songs.filter((song) => song.result);
const path = (song) => `${song.endpoint}/requests/${song.id}`;

function save() {
  keep(localStorage, KEPT.songs, songs.map(({ id, endpoint, asked, at }) => ({ id, endpoint, asked, at })));
}

function add(song) {
  songs.unshift(begun(song));
  for (const old of songs.splice(MOST)) old.card.remove();
  save();
  at("songs").prepend(song.card);
  show(at("empty"), false);
  song.card.scrollIntoView({ block: "nearest" });
  tell(song, "is in the queue");
  follow(song);
  lookAround();
}

function begun(song) {
  song.title = song.asked.tags ?? song.asked.prompt ?? song.id;
  song.state = "waiting";
  song.card = copy("song");
  song.card.dataset.id = song.id;
  for (const button of song.card.querySelectorAll("[data-act]")) {
    button.addEventListener("click", () => ACTS[button.dataset.act]?.(song));
  }
  draw(song);
  return song;
}

const ACTS = {
  use: useAsSource,
  again: fillAgain,
  async cancel(song) {
    song.stage = "Cancelling…";
    draw(song);
    await call("PUT", `${path(song)}/cancel`).catch((error) => {
      if (error.status !== 400) song.stage = "It could not be cancelled. Try again."; // 400: it has already ended
      draw(song);
    });
  },
  remove(song) {
    songs = songs.filter((one) => one !== song);
    song.player?.destroy();
    song.card.remove();
    save();
    show(at("empty"), !songs.length);
    at("songs-title").focus();
  },
};

async function follow(song) {
  for (; !ENDED.has(song.state) && opened && songs.includes(song); await sleep(song.ahead ? 2000 : 1000)) {
    try {
      if (streaming || song.unstreamed) await learn(song, await json("GET", `${path(song)}/status?logs=1`));
      else await listen(song);
    } catch (error) {
      if (error.status === 404) end(song, "gone", "The engine no longer has this song. It keeps songs for a limited time.");
      else if (error instanceof Refused && error.status !== 401) song.stage = error.message;
    }
    draw(song);
  }
}

async function listen(song) {
  streaming = song;
  try {
    for await (const state of streamed(path(song))) await learn(song, state);
  } catch (error) {
    song.unstreamed = true; // poll from now on, which always works
    throw error;
  } finally {
    streaming = null;
  }
}

async function learn(song, state) {
  song.ahead = state.queue_position;
  if (state.status === "COMPLETED") return fetchResult(song, state);
  song.restored = false;
  song.state = state.status === "IN_QUEUE" ? "waiting" : "running";
  const steps = (state.logs ?? []).map((log) => /^(.+) (\d+)\/(\d+)$/.exec(log.message) ?? [log.message, log.message]);
  if (steps.length && song.stage !== "Cancelling…") {
    const [, stage, number, total] = steps.at(-1);
    [song.stage, song.step] = [sentence(stage).slice(0, -1), total && { number: Number(number), total: Number(total) }];
  }
  draw(song);
}

async function fetchResult(song, { metrics, error }) {
  try {
    song.result = await json("GET", path(song));
    song.seconds = metrics?.inference_time;
    end(song, "done");
  } catch (refused) {
    if (!(refused instanceof Refused) || refused.status === 401) throw refused;
    end(song, refused.status === 499 ? "cancelled" : "failed", refused.status === 499 ? "Cancelled." : refused.message || error);
  }
}

function end(song, state, trouble = "") {
  Object.assign(song, { state, trouble });
  draw(song);
  inputs.get("audio_url")?.offer();
  tell(song, { done: "is done", failed: "failed", cancelled: "was cancelled", gone: "is gone" }[state]);
  lookAround();
}

function tell(song, what) {
  if (!song.restored) at("said").textContent = `${song.title} ${what}.`;
}

function draw(song) {
  const { card, state, result } = song, part = (selector) => card.querySelector(selector);
  if (card.dataset.state !== state || !ENDED.has(state)) {
    card.dataset.state = state;
    part("h3").textContent = song.title;
    say(part(".facts"), facts(song));
    show(part(".live"), !ENDED.has(state));
    say(part(".error"), song.trouble ?? "");
    part(".error").classList.toggle("calm", state === "cancelled" || state === "gone");
    drawProgress(song, part("progress"), part(".stage"));
    for (const button of card.querySelectorAll("[data-act]")) show(button, acts(song).includes(button.dataset.act));
    if (result) drawResult(song, part);
  }
}

function acts({ state }) {
  if (!ENDED.has(state)) return ["cancel"];
  if (state === "done") return ["download", "use", "again", "remove"];
  return state === "gone" ? ["remove"] : ["again", "remove"];
}

function facts({ endpoint, asked, result, seconds }) {
  const known = endpoints.find((one) => one.id === endpoint), kind = known?.name ?? endpoint;
  const wanted = asked.duration ?? known?.fields.get("duration")?.default;
  const length = wanted ? clock(wanted) : "";
  const made = seconds ? `made in ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)}\u00a0s` : "";
  return [kind, result ? "" : length, result && `seed ${result.seed}`, made].filter(Boolean).join(" · ");
}

function drawProgress(song, progress, stage) {
  const ahead = song.ahead ? `${song.ahead} ahead in the queue` : "Next in the queue";
  stage.textContent = song.state === "waiting" && !song.stage ? ahead : song.stage ?? "Starting";
  progress.ariaLabel = `Progress of ${song.title}`;
  if (song.state === "waiting") progress.value = 0;
  else if (song.step) Object.assign(progress, { max: song.step.total || 1, value: song.step.number });
  else progress.removeAttribute("value");
}

function drawResult(song, part) {
  const { audio, tags, seed, acestep } = song.result, address = BASE + beside(audio.url, "files/");
  song.title = song.asked.prompt ?? tags;
  part("h3").textContent = song.title;
  show(part(".badge"), acestep?.engine === "draft");
  Object.assign(part(".heard"), { hidden: false, mount: () => { song.player = player(song, address); } });
  inView.observe(part(".heard"));
  Object.assign(part("[data-act=download]"), { href: address, download: audio.file_name ?? `ace-step-${seed}.wav` });
  const written = song.title === tags ? [] : [`Tags: ${tags}`];
  say(part(".notes"), [...(acestep?.notes ?? []).map(sentence), ...written].join(" "));
}

// A song is fetched and drawn when its card comes into view: the list may have fifty.
const inView = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    inView.unobserve(target);
    target.mount();
  }
});

function player({ id, title, card, result }, src) {
  const { tags, lyrics, seed, acestep = {} } = result, { lufs, peak_dbfs: peak } = acestep.measured ?? {};
  const facts = Number.isFinite(peak) ? [["Peak", `${peak.toFixed(1)} dBFS`]] : [];
  const track = { id, title, tags, lyrics, seed, engine: acestep.engine, sections: acestep.sections, notes: acestep.notes, lufs, facts };
  return AceStepPlayer.mount(card.querySelector(".heard"), { tracks: [track], loadAudio: async () => ({ src }), lines: 4 });
}

function tick() {
  for (const song of songs) {
    if (!ENDED.has(song.state)) song.card.querySelector(".elapsed").textContent = clock((Date.now() - song.at) / 1000);
  }
}

function device({ device: name, state, job, songs, restarts, memory = {}, failure }) {
  const row = document.createElement("li"), used = memory.device ?? memory.resident;
  const facts = [state, job, `${songs} made`, used && `${(used / 2 ** 30).toFixed(1)} GB`, restarts && `started again ${restarts} times`];
  row.textContent = `${name}: ${facts.filter(Boolean).join(", ")}`;
  row.title = failure ?? "";
  return row;
}

// The engine's state, which needs no key.
async function lookAround() {
  const began = performance.now();
  try {
    const about = await answered("GET", "health");
    heard = performance.now();
    const busy = about.running || about.queued;
    at("queue").dataset.is = busy ? "busy" : "idle";
    at("mark").classList.toggle("busy", Boolean(about.running));
    at("queue").textContent = (busy ? "Busy" : "Idle") + (about.queued ? `, ${about.queued} waiting` : "");
    at("engine").textContent = `${about.engine} · ${about.model}`;
    at("version").textContent = `acestep-mcp ${about.server}. `;
    at("devices").replaceChildren(...(about.devices ?? []).map(device));
    show(at("sketch"), about.engine === "draft");
    show(at("away"), false);
    if (!opened && at("key-form").hidden) await enter();
  } catch {
    if (began < heard) return; // a later look was answered
    at("queue").dataset.is = "unknown";
    at("queue").textContent = "No answer";
    at("mark").classList.remove("busy");
    show(at("away"));
  }
}

async function enter() {
  if (opened || entering) return;
  entering = true;
  await unlock().finally(() => { entering = false; });
}

async function unlock() {
  if (!endpoints.length) readEndpoints(await answered("GET", "openapi.json"));
  try {
    await answered("POST", "storage/auth/token"); // changes nothing, and needs the key
  } catch (error) {
    if (error.status === 401) return;
    throw error;
  }
  opened = true;
  show(at("key-form"), false);
  show(at("forget"), Boolean(key));
  show(at("studio"));
  restore();
  choose(endpoints.find((one) => one.id === values.endpoint) ?? endpoints[0]);
}

function restore() {
  songs = kept(localStorage, KEPT.songs, []).map((song) => begun({ ...song, restored: true }));
  at("songs").replaceChildren(...songs.map((song) => song.card));
  show(at("empty"), !songs.length);
  for (const song of songs) follow(song);
}

// Show only the form for the key.
function lock(refused) {
  opened = false;
  show(at("studio"), false);
  show(at("key-form"));
  say(at("key-error"), key ? refused.message : "");
  at("key").focus();
}

at("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  key = at("key").value.trim();
  await enter().catch((error) => say(at("key-error"), `The key could not be checked: ${error.message}`));
  if (!opened) return;
  keep(sessionStorage, KEPT.key, key);
  if (at("keep-key").checked) keep(localStorage, KEPT.key, key);
  at("key").value = "";
});
at("forget").addEventListener("click", () => {
  for (const store of [sessionStorage, localStorage]) store.removeItem(KEPT.key);
  sessionStorage.removeItem(KEPT.form);
  location.reload();
});
at("compose").addEventListener("submit", (event) => { event.preventDefault(); make(); });
at("compose").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("compose").requestSubmit();
});
setInterval(tick, 1000);
setInterval(() => document.hidden || lookAround(), 3000);
document.addEventListener("visibilitychange", () => document.hidden || lookAround());
lookAround();
