// The gallery: the songs of the music folder. What comes from the server is only ever shown as text.
const ROWS_KEPT = 600; // in the list at once; searching finds the others
const TYPING = 250; // ms without a key before the search starts
const TOAST = 12_000; // ms

let shown = null; // the song on display, as the server describes it
let wanted = ""; // the id of the song that was asked for last
let cursor = null, found = 0; // of the list
let undoing = null, toastTimer = 0;

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The reply; throws Refused, or a TypeError when there is no answer.
async function call(method, path, body) {
  const headers = body ? { "content-type": "application/json" } : {};
  const reply = await fetch(`${BASE}gallery/${path}`, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  const told = await reply.json().catch(() => null);
  const refused = new Refused(reply.status, told?.error?.message ?? `The server answered ${reply.status}.`);
  if (reply.status === 401) lock();
  throw refused;
}

// Run what a person asked for; what goes wrong is said where they look.
async function attempt(work, place = at("away")) {
  say(place, "");
  try {
    return await work();
  } catch (error) {
    if (error.status === 401 && place !== at("token-error")) return undefined; // the form for the token is there now
    say(place, error instanceof Refused ? error.message : "The server does not answer. Check that it runs, then try again.");
    return undefined;
  }
}

function lock() {
  show(at("gallery"), false);
  show(at("leave"), false);
  show(at("token-form"));
  at("total").textContent = "\u00a0";
  close();
  at("rows").replaceChildren();
  at("token").focus();
}

async function enter() {
  const page = await attempt(() => call("GET", listPath()));
  if (!page) return;
  show(at("token-form"), false);
  show(at("gallery"));
  fillList(page, false);
  await openHash();
}

// -- the list

const inTrash = () => at("find").elements.where.value === "trash";

function listPath(after) {
  const asked = new URLSearchParams({ q: at("query").value });
  if (inTrash()) asked.set("trash", "1");
  if (after) asked.set("cursor", after);
  return `tracks?${asked}`;
}

let latest = 0;
async function list() {
  const number = ++latest;
  const page = await attempt(() => call("GET", listPath()));
  if (page && number === latest) fillList(page, false);
}

function fillList(page, more) {
  const rows = page.tracks.map(row);
  if (more) at("rows").append(...rows);
  else at("rows").replaceChildren(...rows);
  cursor = page.next_cursor ?? null;
  found = page.total;
  show(at("more"), Boolean(cursor) && at("rows").children.length < ROWS_KEPT);
  show(at("empty"), !at("rows").children.length);
  at("empty").querySelector("p").textContent = at("query").value.trim()
    ? "No song has all these words."
    : inTrash() ? "The trash is empty." : "No songs yet. Songs made with this server appear here.";
  say(at("problems"), page.problems.join(" "));
  const what = at("query").value.trim() ? "found" : inTrash() ? "in the trash" : "in the music folder";
  at("total").textContent = `${found} ${found === 1 ? "song" : "songs"} ${what}`;
  mark();
}

function row(track) {
  const item = copy("row"), play = item.querySelector(".play"), link = item.querySelector(".open");
  item.dataset.id = track.id;
  link.href = `#${track.id}`;
  link.querySelector(".name").textContent = track.title;
  link.querySelector(".about").textContent = [day(track.created_at), track.tags].filter(Boolean).join(" · ");
  item.querySelector(".length").textContent = clock(track.duration);
  play.ariaLabel = `Play ${track.title}`;
  show(play, !inTrash());
  play.addEventListener("click", async () => {
    location.hash = track.id;
    if (await open(track.id)) playSong();
  });
  return item;
}

function day(time) {
  const date = new Date(time ?? "");
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

function mark() {
  for (const item of at("rows").children) {
    if (item.dataset.id === wanted) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}

// -- one song

async function openHash() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id) await open(id);
  else close();
}

async function open(id) {
  if (shown?.track.id === id) return true;
  wanted = id;
  mark();
  const song = await attempt(() => call("GET", `tracks/${encodeURIComponent(id)}`));
  if (!song || wanted !== id) return false;
  showSong(song);
  at("title").focus({ preventScroll: true });
  if (matchMedia("(max-width: 860px)").matches) scrollTo(0, 0);
  else at("song").scrollTop = 0;
  return true;
}

function close() {
  shown = null;
  wanted = "";
  at("player").replaceChildren();
  show(at("song"), false);
  show(at("choose"));
  document.title = "ACE-Step songs";
  mark();
}

function showSong(song) {
  shown = song;
  document.title = `${song.title} · ACE-Step songs`;
  at("title").textContent = song.title;
  at("facts").textContent = [clock(song.track.duration), day(song.created_at), song.seed === undefined ? "" : `seed ${song.seed}`]
    .filter(Boolean).join(" · ");
  say(at("trouble"), song.deleted ? "This song is in the trash. Restore it to hear it." : "");
  at("trouble").classList.toggle("calm", song.deleted);
  show(at("player"), !song.deleted);
  show(at("download"), !song.deleted);
  show(at("delete"), !song.deleted);
  show(at("restore"), song.deleted);
  at("download").href = `${BASE}${song.url}?download=1`;
  const tags = (song.tags ?? "").split(",").map((tag) => tag.trim()).filter(Boolean);
  fillItems(at("tags"), tags);
  show(at("tags-part"), Boolean(tags.length));
  const sung = (song.lyrics ?? "").trim();
  at("lyrics").textContent = sung;
  show(at("lyrics-part"), Boolean(sung) && !/^\[inst(rumental)?\]$/i.test(sung));
  showVersions(song);
  showDetails(song);
  showPlayer(song);
  show(at("song"));
  show(at("choose"), false);
  mark();
}

function fillItems(box, texts) {
  box.replaceChildren(...texts.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
}

function showVersions(song) {
  const entries = [...(song.made_from ? [["made from", song.made_from]] : []), ...song.versions.map((one) => ["became", one])];
  at("versions").replaceChildren(...entries.map(([relation, track]) => {
    const item = copy("version"), link = item.querySelector("a");
    link.href = `#${track.id}`;
    link.querySelector(".relation").textContent = relation;
    link.querySelector(".name").textContent = track.title;
    link.querySelector(".length").textContent = clock(track.duration);
    return item;
  }));
  show(at("versions-part"), Boolean(entries.length));
}

function showDetails(song) {
  const { track, request = {}, checks = {} } = song;
  const engine = typeof song.engine === "object" ? [song.engine.name, song.engine.model].filter(Boolean).join(", ") : song.engine;
  const facts = {
    Description: request.prompt,
    Seed: song.seed,
    Engine: engine,
    Loudness: checks.lufs === undefined ? undefined : `${checks.lufs.toFixed(1)} LUFS`,
    Peak: checks.peak_dbfs === undefined ? undefined : `${checks.peak_dbfs.toFixed(1)} dBFS`,
    Sound: [track.sample_rate && `${track.sample_rate / 1000} kHz`, ["", "mono", "stereo"][track.channels]].filter(Boolean).join(", "),
    File: track.file_path,
    Track: track.id,
    Notes: (song.notes ?? []).join("\n"),
  };
  at("details").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
    if (value === undefined || value === null || value === "") return [];
    const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    fact.textContent = String(value);
    return [term, fact];
  }));
}

// -- playing

function showPlayer(song) {
  const player = document.createElement("audio");
  Object.assign(player, { controls: true, preload: "metadata", src: `${BASE}${song.url}` });
  player.ariaLabel = song.title;
  player.addEventListener("error", () => say(at("trouble"), "The file cannot be played here. Download it, or check that it is still in the music folder."));
  at("player").replaceChildren(player);
}

const playSong = () => at("player").querySelector("audio")?.play().catch(() => {});

// -- deleting and restoring

async function move(id, restoring) {
  const moved = await attempt(
    () => (restoring ? call("POST", `tracks/${encodeURIComponent(id)}/restore`) : call("DELETE", `tracks/${encodeURIComponent(id)}`)),
    at("trouble"),
  );
  if (!moved) return;
  toast(restoring ? `${moved.title} is back.` : `${moved.title} is in the trash.`, restoring ? null : () => move(id, true));
  if (restoring && shown?.track.id === id) {
    shown = null;
    await open(id);
  } else if (!restoring) {
    history.replaceState(null, "", location.pathname + location.search);
    close();
    at("list-title").focus();
  }
  await list();
}

function toast(text, undo) {
  clearTimeout(toastTimer);
  undoing = undo;
  show(at("undo"), Boolean(undo));
  show(at("toast"));
  at("said").textContent = text;
  toastTimer = setTimeout(hideToast, TOAST);
}

// Not from under the hand or the keyboard of a person who is about to undo.
function hideToast() {
  if (at("toast").matches(":hover, :focus-within")) toastTimer = setTimeout(hideToast, TOAST);
  else show(at("toast"), false);
}

at("undo").addEventListener("click", async () => {
  show(at("toast"), false);
  await undoing?.();
});
at("delete").addEventListener("click", () => move(shown.track.id, false));
at("restore").addEventListener("click", () => move(shown.track.id, true));
at("back").addEventListener("click", () => {
  const id = wanted;
  location.hash = "";
  close();
  (at("rows").querySelector(`[data-id="${CSS.escape(id)}"] .open`) ?? at("query")).focus();
});
at("more").addEventListener("click", async () => {
  const first = at("rows").children.length;
  const page = await attempt(() => call("GET", listPath(cursor)));
  if (!page) return;
  fillList(page, true);
  at("rows").children[first]?.querySelector(".open").focus();
});

let typing = 0;
at("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(list, TYPING);
});
at("find").addEventListener("submit", (event) => { event.preventDefault(); list(); });
for (const radio of at("find").elements.where) radio.addEventListener("change", list);

at("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const entered = await attempt(async () => {
    await call("POST", "session", { token: at("token").value });
    return true;
  }, at("token-error"));
  if (!entered) return;
  at("token").value = "";
  show(at("leave"));
  await enter();
  at("list-title").focus();
});
at("leave").addEventListener("click", async () => {
  const left = await attempt(async () => { await call("DELETE", "session"); return true; });
  if (left) location.replace(location.pathname);
});
addEventListener("hashchange", openHash);
document.addEventListener("visibilitychange", () => { if (!document.hidden && !at("gallery").hidden) list(); });
at("address").textContent = `${BASE}mcp`;
enter();
