/*
 * AceStepWaveform.create(host, { onTime, onPlay, onEnd, onKey }): a waveform that is also a slider for the keyboard.
 *
 * wavesurfer.js draws and plays; it has neither a role, nor keys, nor marks for sections. Those are here.
 */
globalThis.AceStepWaveform = (() => {
  const TEMPLATE = new RegExp(
    '^\\s*<style>[^<]*</style>\\s*<div class="scroll" part="scroll">\\s*<div class="wrapper" part="wrapper">\\s*' +
    '(<div class="(canvases|progress|cursor)" part="\\2"></div>\\s*){3}</div>\\s*</div>\\s*$');
  // The style that wavesurfer.js would put in its shadow root, which a policy with digests refuses.
  const SHADOW = ":host{user-select:none;min-width:1px}.scroll{overflow:hidden;width:100%;position:relative}" +
    ".wrapper{position:relative;overflow:visible;z-index:2}.canvases{min-height:100%;pointer-events:none}" +
    ".canvases>div,.progress>div{position:relative}canvas{display:block;position:absolute;top:0;image-rendering:pixelated}" +
    ".progress{pointer-events:none;position:absolute;z-index:2;top:0;left:0;width:0;height:100%;overflow:hidden}" +
    ".cursor{pointer-events:none;position:absolute;z-index:5;top:0;left:0;height:100%;border-radius:2px}";
  const STEP = 5;

  // Under a policy with trusted types nothing becomes markup but wavesurfer's own template, and that without its style.
  if (globalThis.trustedTypes && !trustedTypes.defaultPolicy) {
    trustedTypes.createPolicy("default", {
      createHTML: (text) => text === "" ? "" : TEMPLATE.test(text) ? text.replace(/<style>[^<]*<\/style>/, "") : null,
    });
  }

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds || 0));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };

  /** The loudest sample in each of `count` equal parts of an audio file's bytes, and the length in seconds. */
  async function peaks(bytes, count = 900) {
    const decoded = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(bytes);
    const channels = [...Array(decoded.numberOfChannels).keys()].map((one) => decoded.getChannelData(one));
    const size = Math.max(1, decoded.length / count), found = new Float32Array(Math.min(count, decoded.length));
    for (let part = 0; part < found.length; part++) {
      for (let at = Math.floor(part * size); at < (part + 1) * size && at < decoded.length; at++) {
        for (const channel of channels) found[part] = Math.max(found[part], Math.abs(channel[at]));
      }
    }
    return { peaks: found, duration: decoded.duration };
  }

  function create(host, { onTime, onPlay, onEnd, onKey }) {
    const element = document.createElement("div"), marks = document.createElement("div"), probe = document.createElement("i");
    element.className = "waveform";
    Object.assign(element, { tabIndex: 0, role: "slider", ariaLabel: "Position in the song", ariaValueMin: "0" });
    marks.className = "marks";
    marks.ariaHidden = "true";
    probe.hidden = true;
    element.append(marks, probe);
    host.append(element);
    const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
    const colours = () => ({ waveColor: colour("--wave"), progressColor: colour("--accent"), cursorColor: colour("--ink") });
    const audio = document.createElement("audio");
    audio.preload = "auto";
    const surfer = WaveSurfer.create({
      container: element, media: audio, height: 72, barWidth: 3, barGap: 2, barRadius: 2, barMinHeight: 2, normalize: true,
      cursorWidth: 2, dragToSeek: true, hideScrollbar: true, ...colours(),
    });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(SHADOW);
    surfer.getWrapper().getRootNode().adoptedStyleSheets = [sheet];

    let sections = [], length = 0, target = 0;
    // While it seeks, the element may still tell the old time.
    const position = () => (audio.seeking ? target : surfer.getCurrentTime());
    const sectionAt = (time) => sections.find((one) => time >= one.start - 0.01 && time < one.end - 0.01);
    const said = () => {
      const time = position(), section = sectionAt(time);
      element.ariaValueNow = String(Math.round(time));
      element.ariaValueText = `${clock(time)} of ${clock(length)}${section ? `, ${section.name}` : ""}`;
    };
    const seek = (time) => {
      target = Math.min(Math.max(0, time), Math.max(0, length - 0.05));
      surfer.setTime(target);
      said();
      onTime(position());
    };
    const jump = (way) => {
      const now = position(), starts = sections.map((one) => one.start);
      if (!starts.length) return seek(now + way * 2 * STEP);
      const next = way > 0 ? starts.find((start) => start > now + 0.05) : starts.findLast((start) => start < now - 1);
      seek(next ?? (way > 0 ? now : 0));
    };
    const keys = {
      ArrowLeft: () => seek(position() - STEP), ArrowDown: () => seek(position() - STEP),
      ArrowRight: () => seek(position() + STEP), ArrowUp: () => seek(position() + STEP),
      PageUp: () => jump(1), PageDown: () => jump(-1), Home: () => seek(0), End: () => seek(length),
      " ": () => surfer.playPause(),
    };
    element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (keys[event.key]) keys[event.key]();
      else if (!onKey(event.key)) return;
      event.preventDefault();
    });
    // A click on a section's name goes to its start.
    marks.addEventListener("click", (event) => {
      const mark = event.target.closest(".mark");
      if (mark) seek(Number(mark.dataset.start));
    });

    surfer.on("timeupdate", (time) => { said(); onTime(time); });
    surfer.on("play", () => onPlay(true));
    surfer.on("pause", () => onPlay(false));
    surfer.on("finish", () => onEnd());

    function draw() {
      marks.replaceChildren(...sections.map((section) => {
        const mark = document.createElement("span"), name = document.createElement("span");
        mark.className = "mark";
        mark.dataset.start = section.start;
        mark.style.insetInlineStart = `${100 * section.start / length}%`;
        mark.style.inlineSize = `${100 * (section.end - section.start) / length}%`;
        mark.title = section.name;
        mark.append(name);
        return mark;
      }));
      label();
    }
    /* "verse 2" is "V2" where there is no room for more. */
    function label() {
      sections.forEach((section, index) => {
        const [letter] = section.name, [number] = section.name.match(/\d+$/) ?? [""];
        const room = element.clientWidth * (section.end - section.start) / length;
        marks.children[index].firstChild.textContent = room < 7 * section.name.length + 8 ? letter.toUpperCase() + number : section.name;
      });
    }
    const resized = new ResizeObserver(label);
    resized.observe(element);

    return {
      element, audio, seek, sectionAt, clock,
      /** Show and prepare a song. Resolves when it can be played; rejects with AbortError when another is loaded meanwhile. */
      async load(src, drawn, duration, parts) {
        sections = (parts ?? []).filter((one) => one.end > one.start && one.start < duration);
        length = duration;
        element.ariaValueMax = String(Math.round(duration));
        draw();
        await surfer.load(src, [drawn], duration);
        said();
      },
      empty() { surfer.empty(); sections = []; marks.replaceChildren(); },
      play: () => surfer.play(), pause: () => surfer.pause(), toggle: () => surfer.playPause(),
      isPlaying: () => surfer.isPlaying(), time: () => position(),
      /** Shade the section that is repeated; none for undefined. */
      shade: (section) => sections.forEach((one, index) => marks.children[index].classList.toggle("looped", one === section)),
      restyle: () => surfer.setOptions(colours()),
      destroy() { resized.disconnect(); surfer.destroy(); element.remove(); },
    };
  }

  return { create, peaks, clock };
})();
