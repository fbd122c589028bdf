// The gallery: the songs of the music folder. What comes from the server is only ever shown as text.
const ROWS_KEPT = 600; // in the list at once; searching finds the others
const TYPING = 250; // ms without a key before the search starts
const TOAST = 12_000; // ms

const SILENT = "The server does not answer. Check that it runs, then try again.";

const TAKES = 8; // that the player compares
const LINES = 12; // of lyrics at once

const MADE = { "audio-inpaint": "part replaced", "audio-outpaint": "extended", "audio-to-audio": "remade" }; // by endpoint

let player = null;
let family = new Map(); // the song on display and its relatives, by id
let shown = null; // the song on display, as the server describes it
let wanted = ""; // the id of the song that was asked for last
let cursor = null; // of the list
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
  if (!reply.ok) throw await refusal(reply);
  return reply.status === 204 ? null : reply.json();
}

async function refusal(reply) {
  const told = await reply.json().catch(() => null);
  if (reply.status === 401) lock();
  const otherwise = reply.status === 404 ? "There is no such song. Search for it in the list." : `The server answered ${reply.status}.`;
  return new Refused(reply.status, told?.error?.message ?? otherwise);
}

// Run what a person asked for; what goes wrong is said where they look.
async function attempt(work, place = at("away")) {
  say(place, "");
  try {
    return await work();
  } catch (error) {
    if (error.status === 401 && place !== at("token-error")) return undefined; // the form for the token is there now
    say(place, error instanceof Refused ? error.message : SILENT);
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
  const session = await attempt(() => call("GET", "session")), page = session && await attempt(() => call("GET", listPath()));
  if (!page) return;
  show(at("leave"), session.needs_token);
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

// What another page or program changed. Rows that a person has opened further down stay.
async function refresh() {
  const number = ++latest, page = await attempt(() => call("GET", listPath()));
  if (!page || number !== latest) return;
  const rows = [...at("rows").children], known = new Set(rows.map((one) => one.dataset.id));
  if (rows.length <= page.tracks.length) fillList(page, false);
  else {
    at("rows").prepend(...page.tracks.filter((track) => !known.has(track.id)).map(row));
    count(page.total);
  }
}

function fillList(page, more) {
  const rows = page.tracks.map(row), focused = document.activeElement.closest("#rows li")?.dataset.id;
  if (more) at("rows").append(...rows);
  else at("rows").replaceChildren(...rows);
  if (focused && !more) at("rows").querySelector(`[data-id="${CSS.escape(focused)}"] .open`)?.focus();
  cursor = page.next_cursor ?? null;
  const isFull = at("rows").children.length >= ROWS_KEPT;
  show(at("more"), Boolean(cursor) && !isFull);
  show(at("older"), Boolean(cursor) && isFull);
  show(at("empty"), !at("rows").children.length);
  at("empty").querySelector("p").textContent = at("query").value.trim()
    ? "No song has all these words."
    : inTrash() ? "The trash is empty." : "No songs yet. Songs made with this server appear here.";
  say(at("problems"), page.problems.join(" "));
  count(page.total);
}

function count(found) {
  const what = at("query").value.trim() ? "found" : inTrash() ? "in the trash" : "in the music folder";
  at("total").textContent = `${found} ${found === 1 ? "song" : "songs"} ${what}`;
  mark();
}

function row(track) {
  const item = copy("row"), play = item.querySelector(".hear"), link = item.querySelector(".open");
  item.dataset.id = track.id;
  link.href = `#${track.id}`;
  link.querySelector(".name").textContent = track.title;
  link.querySelector(".about").textContent = [day(track.created_at), track.tags].filter(Boolean).join(" · ");
  item.querySelector(".length").textContent = clock(track.duration);
  play.ariaLabel = `Play ${track.title}`;
  show(play, !inTrash());
  play.addEventListener("click", async () => {
    history.pushState(null, "", `#${track.id}`);
    await open(track.id, true);
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
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch { /* not written by this page */ }
  if (id) await open(id);
  else close();
}

async function open(id, play = false) {
  if (shown?.track.id === id) {
    if (play) player?.show(id, { play });
    return;
  }
  wanted = id;
  mark();
  const found = await attempt(() => relatives(id));
  if (wanted !== id) return;
  if (!found) {
    wanted = shown?.track.id ?? "";
    mark();
    return;
  }
  showSong(found);
  at("song").focus({ preventScroll: true });
  if (matchMedia("(max-width: 860px)").matches) scrollTo(0, 0);
  else at("song").scrollTop = 0;
  if (play) player?.show(id, { play });
}

// The song, what it was made from, what else was made from that, and what was made from the song.
async function relatives(id) {
  const ask = (one) => call("GET", `tracks/${encodeURIComponent(one)}`);
  const song = await ask(id), ids = new Set();
  const original = song.made_from ? await ask(song.made_from.id) : null;
  for (const one of [...(original?.versions ?? []), ...song.versions]) if (one.id !== id) ids.add(one.id);
  const others = await Promise.all([...ids].slice(0, TAKES - 2).map(ask));
  return { song, original, others };
}

function close() {
  shown = null;
  wanted = "";
  dropPlayer();
  show(at("song"), false);
  show(at("choose"));
  document.title = "ACE-Step songs";
  mark();
}

function showSong({ song, original, others }) {
  const all = [...(original ? [original] : []), song, ...others].filter((one) => one === song || !one.deleted);
  family = new Map(all.map((one) => [one.track.id, one]));
  dropPlayer();
  describe(song);
  show(at("song"));
  show(at("choose"), false);
  if (!song.deleted) showPlayer(song, original);
}

function describe(song) {
  shown = song;
  wanted = song.track.id;
  document.title = `${song.title} · ACE-Step songs`;
  at("song").ariaLabel = song.title;
  at("title").textContent = song.title;
  say(at("trouble"), "");
  show(at("discarded"), song.deleted);
  show(at("player"), !song.deleted);
  show(at("download"), !song.deleted);
  show(at("delete"), !song.deleted);
  show(at("restore"), song.deleted);
  at("download").href = `${BASE}${song.url}?download=1`;
  showVersions(song);
  mark();
}

function showVersions(song) {
  const from = song.made_from ? [["made from", song.made_from]] : [];
  const entries = [...from, ...song.versions.map((one) => [how(family.get(one.id)) || "version", one])];
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

const how = (song) => MADE[song?.endpoint?.split("/").pop()];

// -- playing

function dropPlayer() {
  player?.destroy();
  player = null;
}

function showPlayer(song, original) {
  let number = 1;
  const label = (one) => (one === song ? "This song" : one === original ? "Original" : `Version ${number++}`);
  player = AceStepPlayer.mount(at("player"), {
    tracks: [],
    loadAudio: (track) => sound(`${BASE}${family.get(track.id).url}`),
    lines: LINES,
    onChange(track) {
      if (track.id === shown?.track.id) return;
      history.replaceState(null, "", `#${track.id}`);
      describe(family.get(track.id));
    },
  });
  player.setTracks([...family.values()].map((one) => ({ ...playable(one), label: label(one), note: how(one) })), song.track.id);
}

async function sound(src) {
  const reply = await fetch(src).catch(() => { throw new Error(SILENT); });
  if (!reply.ok) throw await refusal(reply);
  return { src, bytes: await reply.arrayBuffer() };
}

// The song as the player takes it.
function playable({ track, title, tags, lyrics, seed, engine, created_at, sections, checks = {}, notes, request = {} }) {
  const sound = [track.sample_rate && `${track.sample_rate / 1000} kHz`, ["", "mono", "stereo"][track.channels]].filter(Boolean);
  const peak = Number.isFinite(checks.peak_dbfs) ? `${checks.peak_dbfs.toFixed(1)} dBFS` : "";
  const facts = [["Description", request.prompt], ["Made", day(created_at)], ["Peak", peak], ["Sound", sound.join(", ")]];
  return {
    id: track.id, duration: track.duration, file_path: track.file_path, title, tags, lyrics, seed, engine, sections, notes,
    lufs: checks.lufs, facts: facts.filter(([, value]) => value),
  };
}

// -- deleting and restoring

async function move(id, restoring) {
  const moved = await attempt(
    () => (restoring ? call("POST", `tracks/${encodeURIComponent(id)}/restore`) : call("DELETE", `tracks/${encodeURIComponent(id)}`)),
    at("trouble"),
  );
  if (!moved) return;
  toast(restoring ? `${moved.title} is back.` : `${moved.title} is in the trash.`, restoring ? null : () => move(id, true));
  if (restoring && shown?.track.id === id) {
    shown = null; // as it was in the trash
    await open(id);
  } else if (!restoring) {
    history.replaceState(null, "", location.pathname + location.search);
    close();
    at("list-title").focus();
  }
  if (restoring && !inTrash()) return list();
  at("rows").querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
  return refresh();
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
  await enter();
  at("list-title").focus();
});
at("leave").addEventListener("click", async () => {
  const left = await attempt(async () => { await call("DELETE", "session"); return true; });
  if (left) location.replace(location.pathname);
});
addEventListener("hashchange", openHash);
document.addEventListener("visibilitychange", () => { if (!document.hidden && !at("gallery").hidden) refresh(); });
at("address").textContent = `${BASE}mcp`;
enter();
