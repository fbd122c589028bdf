/* The player inside a chat: an MCP App. It speaks JSON-RPC with the host through postMessage. */
(() => {
  const PROTOCOL = "2026-01-26", MOST_PIXELS = 500, MOST_LINES = 6, LEAST_LINES = 2, AUDIO = "acestep/audio";
  const POLL_MS = 2000, NO_SUCH_METHOD = -32601;
  const waiting = new Map(), place = document.getElementById("place"), notice = document.getElementById("waiting");
  let last = 0, host = {}, context = {}, player = null, opened = null, sent = 0, lines = MOST_LINES;

  const send = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const notify = (method, params = {}) => send({ method, params });
  const ask = (method, params) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    send({ id: last, method, params });
  });
  const text = (result) => (result.content ?? []).filter((part) => part.type === "text").map((part) => part.text).join("\n");

  async function call(name, given) {
    const result = await ask("tools/call", { name, arguments: given });
    if (result.isError) throw new Error(text(result) || `${name} failed.`);
    return result;
  }

  function bytesOf(data) {
    const binary = atob(data), bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
    return bytes.buffer;
  }

  const sounds = new Map();
  async function loadAudio(track) {
    const result = await call("player_audio", { track_id: track.id });
    let sound = result._meta?.[AUDIO];
    if (!sound?.data && host.serverResources) { // a host that drops _meta
      const [read] = (await ask("resources/read", { uri: `acestep://tracks/${track.id}/audio` })).contents;
      sound = { mimeType: read.mimeType, data: read.blob };
    }
    if (!sound?.data) throw new Error("The host did not pass the sound on.");
    sounds.set(track.id, sound);
    const [more] = result.structuredContent?.tracks ?? [];
    return { src: `data:${sound.mimeType};base64,${sound.data}`, bytes: bytesOf(sound.data), track: more };
  }

  const done = (result, said) => {
    if (result?.isError) throw new Error("The host did not allow it.");
    return said;
  };
  /* Only the id is sent: a title or tags could say something to the model. */
  const askForAnother = async (track) => done(await ask("ui/message", { role: "user", content: [{
    type: "text", text: `Make another take of track ${track.id}: the same request with another seed. Then play it.` }] }),
  "Asked for another take.");

  /* Make it here where the host lets the page call tools; a call that is refused has started nothing. */
  async function another(track) {
    if (!host.serverTools) return askForAnother(track);
    try {
      return await remake(track);
    } catch (error) {
      if (error.code !== NO_SUCH_METHOD || !host.message) throw error;
      return askForAnother(track);
    }
  }

  /* A take that costs money is made when the button is pressed again, after its price is shown. */
  let agreed = null;
  async function remake(track) {
    const { cost } = (await call("status", {})).structuredContent ?? {}, price = (cost?.per_second_usd ?? 0) * (track.duration ?? 0);
    if (price > 0 && agreed !== track.id) {
      agreed = track.id;
      return `Another take costs about $${price.toFixed(4)}. Press the button again to make it.`;
    }
    agreed = null;
    player.say("Making another take…");
    const [take] = (await call("remake_track", { track_id: track.id })).structuredContent?.takes ?? [];
    if (!take) throw new Error("The host did not pass the new take on. Ask for the newest song.");
    const made = take.track ?? await finished(take.job_id);
    const tracks = (await call("play_track", { track_id: made })).structuredContent?.tracks ?? [];
    if (!tracks.length) throw new Error(`The new take is track ${made}. Ask to play it.`);
    player.setTracks(tracks, made);
    return "Another take is made. It is shown now.";
  }

  /* The track of a job that was still being made when the call had waited long enough. A job that failed is an error. */
  async function finished(jobId) {
    for (;;) {
      await new Promise((wake) => { setTimeout(wake, POLL_MS); });
      const job = (await call("get_job", { job_id: jobId })).structuredContent ?? {};
      if (job.track?.id) return job.track.id;
      if (job.status !== "IN_QUEUE" && job.status !== "IN_PROGRESS" && job.status !== "NEW") throw new Error(`Job ${jobId} has no song now.`);
    }
  }

  async function save(track) {
    if (/^https?:/.test(track.url ?? "") && host.openLinks) return done(await ask("ui/open-link", { url: track.url }), "Opened the download.");
    const sound = sounds.get(track.id);
    if (!sound) throw new Error("The sound is not loaded yet.");
    const resource = { uri: `acestep://tracks/${track.id}/${track.id}.mp3`, mimeType: sound.mimeType, blob: sound.data };
    return done(await ask("ui/download-file", { contents: [{ type: "resource", resource }] }), "Saved.");
  }

  function actions() {
    const found = {};
    if (host.serverTools || host.message) found.another = another;
    if (host.downloadFile || host.openLinks) found.save = save;
    return found;
  }

  function show(tracks) {
    notice.remove();
    player ??= AceStepPlayer.mount(place, { loadAudio, actions: actions(), lines, onSize: resize, onChange: listening });
    opened = (tracks.find((track) => track.shown) ?? tracks[0]).id;
    player.setTracks(tracks, opened);
  }
  const say = (said) => { notice.textContent = said; if (!player) place.replaceChildren(notice); resize(); };

  /* The model learns which take the user has chosen, at its next turn. */
  function listening(track) {
    if (track.id === opened || !host.updateModelContext) return;
    opened = track.id;
    ask("ui/update-model-context", { content: [{ type: "text", text: `The user is listening to track ${track.id}.` }] }).catch(() => {});
  }

  /* The page is as high as the player, which shows fewer lines where it would be too high. */
  function resize() {
    requestAnimationFrame(() => {
      const size = context.containerDimensions ?? {}, most = Math.min(MOST_PIXELS, size.maxHeight ?? size.height ?? MOST_PIXELS);
      const height = () => Math.ceil(document.body.getBoundingClientRect().height);
      if (player) {
        const spare = Math.floor((most - height()) / 24);
        const wanted = Math.max(LEAST_LINES, Math.min(MOST_LINES, lines + spare));
        if (wanted !== lines) player.setLines(lines = wanted);
      }
      if (height() === sent) return;
      sent = height();
      notify("ui/notifications/size-changed", { width: Math.ceil(innerWidth), height: sent });
    });
  }

  function adopt(changed) {
    context = { ...context, ...changed };
    const root = document.documentElement;
    if (context.theme === "light" || context.theme === "dark") root.style.colorScheme = root.dataset.theme = context.theme;
    for (const [name, value] of Object.entries(changed.styles?.variables ?? {})) {
      if (name.startsWith("--") && typeof value === "string") root.style.setProperty(name, value);
    }
    player?.restyle();
    resize();
  }

  const told = {
    "ui/notifications/tool-input": ({ arguments: given }) => { if (!player && given?.track_id) say("Looking for the song…"); },
    "ui/notifications/tool-result": (result) => {
      if (result.isError) say(text(result));
      else if (result.structuredContent?.tracks?.length) show(result.structuredContent.tracks);
      else say("The host did not pass the song on. Ask for its file.");
    },
    "ui/notifications/tool-cancelled": () => { if (!player) say("The call was cancelled."); },
    "ui/notifications/host-context-changed": adopt,
  };
  const answers = { ping: () => ({}), "ui/resource-teardown": () => { player?.pause(); return {}; } };

  addEventListener("message", ({ source, data }) => {
    if (source !== parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) {
      const { resolve, reject } = waiting.get(data.id) ?? {};
      waiting.delete(data.id);
      if (data.error) reject?.(Object.assign(new Error(data.error.message ?? "The host refused."), { code: data.error.code }));
      else resolve?.(data.result ?? {});
    } else if (data.id === undefined) {
      told[data.method]?.(data.params ?? {});
    } else if (answers[data.method]) {
      send({ id: data.id, result: answers[data.method](data.params) });
    } else {
      send({ id: data.id, error: { code: -32601, message: `The player does not know ${data.method}.` } });
    }
  });

  ask("ui/initialize", {
    protocolVersion: PROTOCOL, appInfo: { name: "acestep-player", version: "1" }, appCapabilities: { availableDisplayModes: ["inline"] },
  }).then((welcome) => {
    host = welcome.hostCapabilities ?? {};
    adopt(welcome.hostContext ?? {});
    notify("ui/notifications/initialized");
  }, (error) => say(`The host does not start the player: ${error.message}`));
})();
