/*
 * AceStepPlayer.mount(element, options): the player of songs, in the chat, in the gallery and on the engine's page.
 *
 * A page has wavesurfer.js, waveform.js and player.js in this order, player.css, and a content security policy with
 * `trusted-types default` (see waveform.js). Names, tags and lyrics are only ever set as text.
 *
 * options:
 *   tracks      [{ id, title, duration, ... }], the takes and versions that can be compared; `show` chooses one. Also read,
 *               and all optional: tags, lyrics, seed, engine, heard, file_path, notes, lufs (for matched loudness),
 *               sections [{ name, start, end }] in seconds, label (short, on its button), note (what differs),
 *               facts [[name, value]] (more rows of "About").
 *   loadAudio   async (track) => ({ src, bytes?, track? }). `src` is an address for <audio> that the page's policy allows;
 *               `bytes`, an ArrayBuffer, saves fetching it again for the waveform; `track` replaces fields of the track.
 *   actions     { another, save, ... }: name => { label, run: async (track) => "what was done", primary?, icon? }, or
 *               just the function for `another` and `save`. Each is a button. A rejected promise's message is shown.
 *   lines       how many lines of lyrics are shown at once, 6 unless told.
 *   onChange    (track) => after another take is shown.
 *   onSize      () => after the height may have changed.
 *
 * It returns { show(id, { play }), setTracks(tracks, id), pause(), restyle(), setLines(n), say(text), current(), destroy() }.
 */
globalThis.AceStepPlayer = (() => {
  const ICONS = {
    play: "M7 4.5v15l13-7.5z", pause: "M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z",
    loop: "M17 2l4 4-4 4M3 11V9a3 3 0 0 1 3-3h15M7 22l-4-4 4-4M21 13v2a3 3 0 0 1-3 3H3",
    loud: "M4 9.5v5h3.5L13 19V5L7.5 9.5zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
    another: "M4 12a8 8 0 0 1 14-5.3L20.5 9M20.5 4v5h-5M20 12a8 8 0 0 1-14 5.3L3.5 15M3.5 20v-5h5",
    save: "M12 3v12M7 10.5l5 5 5-5M4 20.5h16", back: "M15 5l-7 7 7 7", next: "M9 5l7 7-7 7",
  };
  const LABELS = { another: "Another take", save: "Save" };
  const LOOPS = { off: "Loop off", section: "Loop section", song: "Loop song" };
  const MOST_QUIETER = 15; // dB
  let count = 0;

  function make(tag, given = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((one) => one !== null && one !== undefined));
    return element;
  }

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", `icon ${name}`);
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  const button = (name, label, onclick, given = {}) =>
    make("button", { type: "button", title: label, ariaLabel: label, onclick, ...given }, icon(name));
  const letter = (index) => String.fromCharCode(65 + index % 26);
  const plain = (name) => name.toLowerCase().replace(/[^\p{L}]+/gu, "");

  /** Lyrics as blocks: a section's mark and the lines below it. */
  function stanzas(lyrics) {
    const blocks = [];
    for (const line of lyrics.split(/\r?\n/)) {
      const mark = /^\s*\[(.+)\]\s*$/.exec(line);
      if (mark) blocks.push({ mark: mark[1], lines: [] });
      else if (!line.trim()) blocks.push({ mark: null, lines: [] });
      else (blocks.at(-1) ?? blocks[blocks.push({ mark: null, lines: [] }) - 1]).lines.push(line);
    }
    return blocks.filter((one) => one.mark || one.lines.length);
  }

  /** Which block is sung in which section: marks and sections come in the same order, but either may lack some. */
  function sung(blocks, sections) {
    const found = new Map();
    let from = 0;
    for (const section of sections) {
      const at = blocks.findIndex((block, index) => index >= from && block.mark && plain(block.mark) === plain(section.name));
      if (at < 0) continue;
      found.set(section.start, at);
      from = at + 1;
    }
    return found;
  }

  function mount(root, { tracks: given = [], loadAudio, actions = {}, lines = 6, onChange = () => {}, onSize = () => {} }) {
    const id = `player-${++count}`, loaded = new Map();
    let tracks = given, current = null, loop = "off", looped, matched = true, level = 0.9, asked = 0, follow = null;

    const title = make("h2", { className: "title" }), facts = make("p", { className: "about-line" });
    const time = make("p", { className: "time", ariaHidden: "true" });
    const status = make("p", { className: "said", role: "status" });
    const play = button("play", "Play", () => toggle(), { className: "play" });
    const loopButton = button("loop", LOOPS.off, () => turnLoop(), { className: "loop" });
    const loopText = make("span", { className: "text" }, "Loop");
    loopButton.append(loopText);
    const volume = make("input", { type: "range", min: 0, max: 100, value: 95, ariaLabel: "Volume" });
    const takes = make("fieldset", { className: "takes" }), strip = make("div", { className: "strip" });
    const match = make("input", { type: "checkbox", checked: true });
    const matching = make("label", { className: "match", title: `Play all takes as loud as the quietest, by at most ${MOST_QUIETER} dB` }, match, make("span", {}, "Match loudness"));
    takes.append(make("legend", { className: "unseen" }, "Takes"), strip, matching);
    const buttons = make("div", { className: "actions" });
    const problem = make("p", { className: "problem", role: "alert", hidden: true });
    const problemText = make("span"), retry = make("button", { type: "button", onclick: () => { loaded.delete(current.id); show(current.id); } }, "Try again");
    problem.append(problemText, retry);
    const stage = make("div", { className: "stage" });
    const tabs = make("div", { className: "tabs", role: "tablist", ariaLabel: "About this song" });
    const panel = make("div", { className: "panel", role: "tabpanel", id: `${id}-panel`, tabIndex: 0 });
    const flow = make("div", { className: "flow" }), place = make("span", { className: "place" });
    panel.append(flow);
    const back = button("back", "Previous page", () => turn(-1)), next = button("next", "Next page", () => turn(1));
    const pager = make("div", { className: "pager" }, back, place, next);
    const player = make("section", { className: "player", ariaLabel: "Player" },
      make("div", { className: "head" }, play, title, facts, time),
      stage, problem,
      make("div", { className: "controls" }, loopButton, make("label", { className: "volume" }, icon("loud"), volume), buttons),
      takes, make("div", { className: "foot" }, tabs, pager), panel, status);
    player.style.setProperty("--lines", lines);
    root.replaceChildren(player);

    const wave = AceStepWaveform.create(stage, {
      onTime: (now) => tick(now), onPlay: (on) => playing(on), onEnd: () => ended(),
      onKey: (key) => {
        const track = tracks[Number(key) - 1];
        if (track && tracks.length > 1) show(track.id);
        return Boolean(track) && tracks.length > 1;
      },
    });
    stage.append(make("p", { className: "loading", ariaHidden: "true" }, "Loading the sound…"));

    function playing(on) {
      play.replaceChildren(icon(on ? "pause" : "play"));
      play.title = play.ariaLabel = on ? "Pause" : "Play";
      player.dataset.playing = on;
    }
    const failed = (error) => {
      problemText.textContent = error?.message || String(error);
      problem.hidden = false;
      onSize();
    };
    const toggle = () => { if (!stage.dataset.busy && problem.hidden) wave.toggle().catch(failed); };
    function tick(now) {
      time.textContent = `${wave.clock(now)} / ${wave.clock(current?.duration)}`;
      if (looped && wave.isPlaying() && now >= looped.end - 0.03 && now < looped.end + 1) wave.seek(looped.start);
      else if (loop === "section" && wave.sectionAt(now) !== looped) repeat(wave.sectionAt(now) ?? looped);
      const section = wave.sectionAt(now);
      if (follow && section !== follow.section) {
        follow.section = section;
        sing(section);
      }
    }
    function ended() {
      if (loop === "off") return;
      wave.seek(loop === "section" && looped ? looped.start : 0);
      wave.play().catch(failed);
    }
    function repeat(section) {
      looped = section;
      wave.shade(section);
    }
    function turnLoop() {
      const order = current?.sections?.length ? ["off", "section", "song"] : ["off", "song"];
      loop = order[(order.indexOf(loop) + 1) % order.length];
      repeat(loop === "section" ? wave.sectionAt(wave.time()) : undefined);
      loopButton.title = loopButton.ariaLabel = looped ? `${LOOPS.section}: ${looped.name}` : LOOPS[loop];
      loopText.textContent = loop === "off" ? "Loop" : loop === "song" ? "Song" : "Section";
      loopButton.dataset.on = loop !== "off";
      status.textContent = loopButton.ariaLabel;
    }

    const canMatch = () => tracks.length > 1 && tracks.every((track) => Number.isFinite(track.lufs));
    function setVolume() {
      // The quietest take is played as it is, so that nothing has to be made louder than its file. One that can hardly be
      // heard does not silence the others.
      const all = tracks.map((track) => track.lufs), reference = Math.max(Math.min(...all), Math.max(...all) - MOST_QUIETER);
      const gain = matched && canMatch() && current ? Math.min(1, 10 ** ((reference - current.lufs) / 20)) : 1;
      wave.audio.volume = Math.min(1, level * gain);
    }
    volume.addEventListener("input", () => { level = (volume.value / 100) ** 2; setVolume(); });
    match.addEventListener("change", () => { matched = match.checked; setVolume(); });

    async function sound(track) {
      const { src, bytes, track: more } = await loadAudio(track);
      const data = bytes ?? await fetch(src).then((answer) => {
        if (!answer.ok) throw new Error(`The sound could not be loaded (${answer.status}).`);
        return answer.arrayBuffer();
      });
      return { src, more, ...await AceStepWaveform.peaks(data) };
    }

    /** Show one of the tracks at the same place, and play it if the last one played. */
    async function show(wanted, { play: start = wave.isPlaying() } = {}) {
      const before = current && tracks.length > 1 ? wave.time() : 0, mine = ++asked;
      current = tracks.find((track) => track.id === wanted) ?? tracks[0];
      if (!current) return;
      describe();
      problem.hidden = true;
      stage.dataset.busy = "1";
      wave.pause();
      try {
        if (!loaded.has(current.id)) loaded.set(current.id, sound(current));
        const { src, peaks, duration, more } = await loaded.get(current.id);
        if (mine !== asked) return;
        if (more) Object.assign(current, more);
        current.duration = duration;
        await wave.load(src, peaks, duration, current.sections);
        if (mine !== asked) return;
        describe();
        setVolume();
        wave.seek(before < duration ? before : 0);
        delete stage.dataset.busy;
        if (start) await wave.play();
      } catch (error) {
        if (mine !== asked || error.name === "AbortError") return;
        loaded.delete(current.id);
        delete stage.dataset.busy;
        wave.empty();
        failed(error);
      }
      onChange(current);
    }

    function describe() {
      title.textContent = title.title = current.title || current.id;
      const parts = [current.note, current.seed === undefined || current.seed === null ? null : `seed ${current.seed}`,
        current.engine === "draft" ? "sketch, not ACE-Step" : current.engine];
      facts.textContent = [...new Set(parts.filter(Boolean))].join(" · ");
      time.textContent = `${wave.clock(wave.time())} / ${wave.clock(current.duration)}`;
      for (const radio of strip.querySelectorAll("input")) radio.checked = radio.value === current.id;
      const words = (current.lyrics ?? "").trim(), silent = !words || /^\[(inst|instrumental)\]$/i.test(words);
      const names = silent ? ["About"] : ["Lyrics", "About"];
      const chosen = names.includes(tabs.dataset.chosen) ? tabs.dataset.chosen : names[0];
      tabs.replaceChildren(...names.map((name) => make("button", {
        type: "button", role: "tab", id: `${id}-${name}`, "aria-controls": panel.id, onclick: () => choose(name),
      }, name)));
      choose(chosen);
    }

    function choose(name) {
      tabs.dataset.chosen = name;
      for (const tab of tabs.children) {
        tab.ariaSelected = String(tab.textContent === name);
        tab.tabIndex = tab.textContent === name ? 0 : -1;
      }
      panel.setAttribute("aria-labelledby", `${id}-${name}`);
      follow = null;
      flow.className = `flow ${name.toLowerCase()}`;
      flow.replaceChildren(...(name === "Lyrics" ? words() : about()));
      panel.scrollLeft = 0;
      countPages();
      if (follow) sing(follow.section = wave.sectionAt(wave.time()));
      onSize();
    }
    tabs.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key], all = [...tabs.children];
      if (!way) return;
      const to = all[(all.indexOf(document.activeElement) + way + all.length) % all.length];
      choose(to.textContent);
      to.focus();
      event.preventDefault();
    });

    function words() {
      const blocks = stanzas(current.lyrics);
      const shown = blocks.map((block) => make("div", { className: "stanza" },
        block.mark ? make("p", { className: "section-name" }, block.mark) : null, ...block.lines.map((line) => make("p", { dir: "auto" }, line))));
      follow = { shown, where: sung(blocks, current.sections ?? []), section: undefined };
      return shown;
    }
    /** Mark the words of the section that is played, and turn to their page. */
    function sing(section) {
      const at = section ? follow.where.get(section.start) : undefined;
      follow.shown.forEach((one, index) => one.classList.toggle("now", index === at));
      if (at !== undefined) {
        panel.scrollLeft = Math.floor((follow.shown[at].offsetLeft + 1) / step()) * step();
        countPages();
      }
    }
    function about() {
      const lufs = Number.isFinite(current.lufs) ? `${current.lufs.toFixed(1)} LUFS` : null;
      const rows = [["Tags", current.tags], ["Seed", current.seed], ["Engine", current.engine], ["Loudness", lufs], ["Heard", current.heard],
        ...(current.facts ?? []), ["File", current.file_path], ["Id", current.id], ["Notes", (current.notes ?? []).join(" ")]];
      return rows.filter(([, value]) => value !== undefined && value !== null && value !== "")
        .map(([name, value]) => make("p", {}, make("b", {}, name), ` ${value}`));
    }

    const step = () => panel.clientWidth + parseFloat(getComputedStyle(flow).columnGap || 0);
    function countPages() {
      const all = Math.max(1, Math.ceil((flow.scrollWidth - 1) / step())), now = Math.round(panel.scrollLeft / step()) + 1;
      place.textContent = `${now} / ${all}`;
      pager.hidden = all < 2;
      back.disabled = now <= 1;
      next.disabled = now >= all;
    }
    function turn(way) {
      panel.scrollLeft = (Math.round(panel.scrollLeft / step()) + way) * step();
      countPages();
    }

    function setTracks(list, wanted) {
      tracks = list;
      takes.hidden = tracks.length < 2;
      matching.hidden = !canMatch();
      strip.replaceChildren(...tracks.map((track, index) => {
        const radio = make("input", { type: "radio", name: id, value: track.id, onchange: () => show(track.id) });
        const about = [track.label ? null : `Take ${letter(index)}`, track.note].filter(Boolean).join(", ");
        return make("label", { title: about || track.title }, radio, make("span", {}, make("b", {}, track.label || letter(index)),
          track.note ? make("small", {}, track.note) : null));
      }));
      return show(wanted ?? tracks[0]?.id);
    }

    for (const [name, one] of Object.entries(actions)) {
      const action = typeof one === "function" ? { run: one } : one, label = action.label ?? LABELS[name] ?? name;
      const press = button(ICONS[action.icon ?? name] ? action.icon ?? name : "next", label, async () => {
        press.disabled = true;
        problem.hidden = true;
        try {
          status.textContent = await action.run(current) ?? "";
        } catch (error) {
          status.textContent = error?.message || String(error);
        }
        press.disabled = false;
        onSize();
      }, { className: action.primary ? "primary" : "" });
      press.append(make("span", { className: "text" }, label));
      buttons.append(press);
    }

    const resized = new ResizeObserver(() => { countPages(); onSize(); });
    resized.observe(player);
    const dark = matchMedia("(prefers-color-scheme: dark)"), restyle = () => wave.restyle();
    dark.addEventListener("change", restyle);
    level = (volume.value / 100) ** 2;
    if (tracks.length) setTracks(tracks);

    return {
      element: player, show, setTracks, restyle, pause: () => wave.pause(), current: () => current,
      say: (text) => { status.textContent = text; onSize(); },
      setLines: (number) => { player.style.setProperty("--lines", number); countPages(); },
      destroy() { resized.disconnect(); dark.removeEventListener("change", restyle); wave.destroy(); root.replaceChildren(); },
    };
  }

  return { mount };
})();
