// The form is built from /openapi.json: fields, bounds, defaults, choices and descriptions are the engine's.
// Descriptions written for programs are replaced here.
const HINTS = {
  audio_url: "The audio to start from.",
  original_tags: "The tags of the source, as exactly as known. Filled in for a song from this list.",
};
const values = kept(sessionStorage, KEPT.form, {}); // by field name, so that they survive a change of endpoint
let uploaded = new WeakMap(); // File -> its address, so that a retry does not upload it again
let endpoints = []; // { id, name, title, about, fields: Map(name -> schema), required, shared }
let chosen; // one of them
let inputs = new Map(); // field name -> { box, read }

const words = (name) => sentence(name.replace(/_url$/, "").replaceAll("_", " ")).slice(0, -1);

function readEndpoints(openapi) {
  const found = Object.entries(openapi.paths).filter(([, path]) => path.post?.operationId.startsWith("submit_"));
  endpoints = found.map(([path, { post }]) => {
    const schema = openapi.components.schemas[post.requestBody.content["application/json"].schema.$ref.split("/").pop()];
    return {
      id: path.slice(1), name: words(post.operationId.slice("submit_".length)), title: post.summary,
      about: schema.description, fields: new Map(Object.entries(schema.properties)), required: schema.required ?? [],
    };
  });
  const [first, ...others] = endpoints;
  // Fields of every endpoint go under "More options"; the fields that are specific to one come first.
  const shared = [...first.fields.keys()].filter((name) => others.every((one) => one.fields.has(name)));
  for (const endpoint of endpoints) endpoint.shared = new Set(shared);
  at("ways").replaceChildren(...endpoints.map(tab));
}

function tab(endpoint) {
  const label = document.createElement("label"), radio = document.createElement("input");
  const name = document.createElement("span");
  Object.assign(radio, { type: "radio", name: "way", value: endpoint.id });
  radio.addEventListener("change", () => choose(endpoint));
  name.textContent = endpoint.name;
  label.append(radio, name);
  return label;
}

function choose(endpoint) {
  chosen = endpoint;
  remember("endpoint", endpoint.id);
  for (const radio of at("ways").querySelectorAll("input")) radio.checked = radio.value === endpoint.id;
  at("make-title").textContent = endpoint.title;
  at("make-about").textContent = endpoint.about;
  say(at("refusal"), "");
  inputs = new Map();
  at("fields").replaceChildren();
  at("more").replaceChildren();
  for (const [name, schema] of endpoint.fields) {
    const input = name === "audio_url" ? source(name) : field(name, schema);
    inputs.set(name, input);
    at(endpoint.shared.has(name) ? "more" : "fields").append(input.box);
  }
  for (const box of [at("fields"), at("more")]) settle(box);
}

// Wide fields first, then small ones in pairs; a single one left over takes a row.
function settle(box) {
  const small = [...box.children].filter((one) => !one.classList.contains("wide"));
  box.append(...small);
  if (small.length % 2) small.at(-1).classList.add("wide");
}

function remember(name, value) {
  values[name] = value;
  keep(sessionStorage, KEPT.form, values);
}

function field(name, schema) {
  const box = copy("field"), label = box.querySelector("label"), hint = box.querySelector(".hint");
  const control = controlFor(name, schema), start = values[name] ?? schema.default ?? "";
  control.id = `field-${name}`;
  label.htmlFor = control.id;
  label.textContent = words(name);
  const bounds = schema.default !== undefined && schema.minimum !== undefined
    ? ` ${schema.minimum} to ${schema.maximum}, by default ${schema.default}.` : "";
  hint.textContent = (HINTS[name] ?? schema.description ?? "") + bounds;
  describe(control, box, name);
  if (control.type === "checkbox") control.checked = start === true;
  else control.value = start;
  const read = () => reading(control, schema);
  control.addEventListener("input", () => { complain(box); remember(name, read()); });
  if (control.type === "checkbox") { label.prepend(control); box.classList.add("check"); } else label.after(control);
  box.classList.toggle("wide", control.localName === "textarea");
  if (bounds) label.after(paired(control, schema));
  return { box, read: async () => read() };
}

function controlFor(name, schema) {
  if (schema.enum) {
    const select = document.createElement("select");
    select.append(...schema.enum.map((choice) => new Option(choice, choice)));
    return select;
  }
  if (schema.type === "string") {
    return Object.assign(document.createElement("textarea"), { rows: /lyrics/.test(name) ? 6 : 2 });
  }
  const input = document.createElement("input");
  if (schema.type === "boolean") return Object.assign(input, { type: "checkbox" });
  const step = schema.type === "integer" ? 1 : "any";
  const placeholder = schema.default === undefined ? "any" : String(schema.default);
  return Object.assign(input, { type: "number", step, min: schema.minimum, max: schema.maximum, placeholder });
}

// A slider beside the number, for pointers only: keyboards and screen readers use the number.
function paired(control, { minimum, maximum, type }) {
  const range = Object.assign(document.createElement("input"), { type: "range", min: minimum, max: maximum, tabIndex: -1 });
  range.step = type === "integer" || maximum > 20 ? 1 : 0.05;
  range.ariaHidden = "true";
  range.value = control.value;
  range.addEventListener("input", () => { control.value = range.value; control.dispatchEvent(new Event("input")); });
  control.addEventListener("input", () => { range.value = control.value === "" ? control.placeholder : control.value; });
  const pair = document.createElement("div");
  pair.className = "pair";
  pair.append(range, control);
  return pair;
}

// The value to send: nothing for an untouched field, the raw text for an invalid number.
function reading(control, schema) {
  if (control.type === "checkbox") return control.checked || undefined;
  if (control.validity.badInput) return "not a number";
  const text = control.value;
  if (text.trim() === "" || text === String(schema.default)) return undefined;
  return control.type === "number" ? Number(text) : text;
}

function source(name) {
  const box = copy("source"), controls = [...box.querySelectorAll("[data-for]")], [file, song, address] = controls;
  const radios = [...box.querySelectorAll("[type=radio]")];
  box.querySelector("legend").textContent = words(name);
  box.querySelector(".hint").textContent = HINTS[name];
  const offer = () => {
    const picked = song.value, [first, ...others] = [finished().length ? "Choose a song" : "No songs yet", ...finished()];
    song.replaceChildren(new Option(first, ""), ...others.map((one) => new Option(one.title, one.result.audio.url)));
    song.value = picked;
  };
  offer();
  for (const control of controls) describe(control, box, name);
  const turn = (kind) => {
    for (const radio of radios) radio.checked = radio.value === kind;
    for (const control of controls) show(control, control.dataset.for === kind);
    complain(box);
  };
  for (const radio of radios) radio.addEventListener("change", () => turn(radio.value));
  for (const control of controls) control.addEventListener("input", () => complain(box));
  song.addEventListener("input", () => tellSource(finished().find((one) => one.result.audio.url === song.value)));
  const read = async () => {
    const kind = radios.find((radio) => radio.checked).value;
    if (kind === "song") return song.value || undefined;
    if (kind === "address") return address.value.trim() || undefined;
    const [picked] = file.files;
    if (!picked) return undefined;
    if (!uploaded.has(picked)) uploaded.set(picked, await upload(picked));
    return uploaded.get(picked);
  };
  const use = (url) => {
    offer();
    const known = [...song.options].some((option) => option.value === url);
    turn(known ? "song" : "address");
    (known ? song : address).value = url;
    tellSource(finished().find((one) => one.result.audio.url === url));
  };
  return { box, read, use, offer };
}

// An edit needs the settings of its source; for a song from this list they are known.
function tellSource(song) {
  if (!song) return;
  fill({ original_tags: song.result.tags, original_lyrics: song.result.lyrics, original_seed: song.result.seed });
}

function fill(given) {
  for (const [name, value] of Object.entries(given)) {
    const control = at(`field-${name}`);
    if (name === "audio_url") inputs.get(name)?.use(value);
    if (control?.type === "checkbox") control.checked = value;
    else if (control) control.value = value;
    control?.dispatchEvent(new Event("input"));
  }
}

// The form as it was when this song was requested, with the same untouched fields.
function fillAgain(song) {
  for (const name of Object.keys(values)) delete values[name];
  choose(endpoints.find((one) => one.id === song.endpoint));
  fill(song.asked);
  at("make-title").scrollIntoView({ block: "nearest" });
  at("make").focus();
}

function useAsSource(song) {
  if (!chosen.fields.has("audio_url")) choose(endpoints.find((one) => one.fields.has("audio_url")));
  inputs.get("audio_url").use(song.result.audio.url);
  fill({ tags: values.tags ?? song.result.tags });
  at("fields").querySelector("select, textarea").focus();
}

function describe(control, box, name) {
  const [hint, error] = [box.querySelector(".hint"), box.querySelector(".error")];
  [hint.id, error.id] = [`hint-${name}`, `error-${name}`];
  control.setAttribute("aria-describedby", `${hint.id} ${error.id}`);
}

function complain(box, message = "") {
  say(box.querySelector(".error"), message);
  for (const control of box.querySelectorAll("[aria-describedby]")) control.ariaInvalid = message ? "true" : null;
}

function complainAll(refused) {
  const here = [...refused.fields].filter(([name]) => inputs.has(name));
  for (const [name, message] of here) complain(inputs.get(name).box, message);
  if (refused.fields.has("audio_url")) uploaded = new WeakMap(); // the engine may have removed the file: upload it again
  if (!here.length) return say(at("refusal"), refused.message);
  if (here.some(([name]) => chosen.shared.has(name))) at("options").open = true;
  inputs.get(here[0][0]).box.querySelector("[aria-describedby]:not([hidden])").focus();
}

async function make() {
  const button = at("make"), body = {};
  let trouble = "The file could not be sent to the engine, and no song was requested. Try again.";
  for (const { box } of inputs.values()) complain(box);
  say(at("refusal"), "");
  button.disabled = true;
  try {
    for (const [name, { read }] of inputs) {
      if (name === "audio_url") button.textContent = "Sending the file…";
      const value = await read();
      if (value !== undefined) body[name] = value;
    }
    button.textContent = "Submitting…";
    trouble = "The connection broke, so the engine may or may not have received this. Check its queue before trying again.";
    const { request_id } = await json("POST", chosen.id, body);
    add({ id: request_id, endpoint: chosen.id, asked: body, at: Date.now() });
  } catch (error) {
    complainAll(error instanceof Refused ? error : new Refused(0, { detail: trouble }));
  } finally {
    button.disabled = false;
    button.textContent = "Make the song";
  }
}
