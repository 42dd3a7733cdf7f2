// The player: one number, the frame that is shown; video, text, curves and circle follow it.
"use strict";

function startPlayer(element) {
  const find = (id) => element.querySelector(`#${id}`);
  const charts = affectkerasCharts, video = find("video"), slider = find("slider");
  const TRAIL_S = 1.5;
  let rows = null, parts = null, current = "", ready = false;
  let index = 0, playing = false, wanted = null, late = 0;

  // What the video is asked for is the middle of a frame: neither rounding nor the browser's clock
  // can then fall into its neighbour.
  function middle(number) {
    const begins = rows.shown_s[number], next = rows.shown_s[number + 1];
    const ends = next ?? Math.min(begins + interval(), Math.max(video.duration - late, begins));
    return (begins + ends) / 2 + late;
  }

  function interval() {
    const count = rows.shown_s.length;
    return count > 1 ? rows.shown_s[count - 1] / (count - 1) : 0.04;
  }

  function frameAt(seconds) {
    let low = 0, high = rows.shown_s.length - 1;
    while (low < high) {
      const half = (low + high + 1) >> 1;
      if (rows.shown_s[half] <= seconds - late + 1e-3) low = half;
      else high = half - 1;
    }
    return low;
  }

  function show(number) {
    index = Math.max(0, Math.min(rows.shown_s.length - 1, number));
    slider.value = index;
    write();
    draw();
  }

  function step(by) {
    pause();
    goTo(index + by);
  }

  function goTo(number) {
    if (!ready) return;
    show(number);
    wanted = middle(index);
    seek();
  }

  // While the video still looks for one frame, only the last that was asked for is kept.
  function seek() {
    if (wanted === null || video.seeking) return;
    const time = wanted;
    wanted = null;
    if (Math.abs(video.currentTime - time) > 1e-4) video.currentTime = time;
  }

  function play() {
    if (!ready || rows.shown_s.length < 2) return;
    if (index === rows.shown_s.length - 1) goTo(0);
    setPlaying(true);
    video.play().catch(() => setPlaying(false));
  }

  function pause() {
    if (!playing) return;
    video.pause();
    setPlaying(false);
  }

  function setPlaying(on) {
    playing = on;
    find("play").classList.toggle("playing", on);
  }

  // The browser tells which picture it puts on the screen; without that, what its clock says.
  function follow() {
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback((_, { mediaTime }) => {
        if (ready) {
          element.querySelector("#player").dataset.presented = rows.frame[frameAt(mediaTime)];
          if (playing) show(frameAt(mediaTime));
        }
        follow();
      });
      return;
    }
    requestAnimationFrame(() => {
      if (ready && playing) show(frameAt(video.currentTime));
      follow();
    });
  }

  function write() {
    find("frame-number").textContent = rows.frame[index];
    find("frame-time").textContent = number("time_s", 3);
    find("reading-name").textContent = rows.name[index] || (rows.face[index] ? "–" : "no face");
    Object.entries(texts()).forEach(([id, text]) => {
      const value = find(`frame-${id}`);
      value.textContent = text;
    });
  }

  function texts() {
    const face = rows.face[index] || "–", confidence = number("confidence", 2);
    if (rows.kind === "numbers") {
      return {
        valence: charts.signed(rows.valence[index]),
        arousal: charts.signed(rows.arousal[index]),
        intensity: number("intensity", 3), face, confidence,
      };
    }
    return { probability: number("probability", 3), face, confidence };
  }

  function number(column, digits) {
    const value = rows[column][index];
    return value === null ? "–" : value.toFixed(digits);
  }

  function draw() {
    if (!rows) return;
    if (rows.shown_s.length > 1) charts.drawCurves(find("curves"), { ...parts, index });
    if (rows.kind === "numbers") {
      charts.drawCircle(find("place"), {
        sectors: rows.sectors, sector: rows.name[index], place: place(index), trail: trail(),
      });
      return;
    }
    charts.drawBars(find("place"), {
      names: rows.class_names, chosen: rows.name[index], colors: parts.colors,
      values: rows.probabilities.map((values) => values[index]),
    });
  }

  function place(number) {
    const [valence, arousal] = [rows.valence[number], rows.arousal[number]];
    return valence === null && arousal === null ? null : [valence ?? 0, arousal ?? 0];
  }

  function trail() {
    const points = [];
    for (let n = index - 1; n >= 0 && rows.shown_s[index] - rows.shown_s[n] <= TRAIL_S; n -= 1) {
      const point = place(n);
      if (point) points.unshift(point);
    }
    return points;
  }

  function layOut() {
    const names = { valence: "Valence", arousal: "Arousal", intensity: "Intensity",
      probability: "Probability", face: "Face", confidence: "Face certainty" };
    find("reading-values").replaceChildren(...Object.keys(texts()).map((id) => {
      const pair = document.createElement("div"), name = document.createElement("dt");
      const value = document.createElement("dd");
      name.textContent = names[id];
      value.id = `frame-${id}`;
      pair.append(name, value);
      return pair;
    }));
    find("reading-name").dataset.kind = rows.kind;
    find("place").setAttribute("aria-label",
      rows.kind === "numbers" ? "Circle of affect" : "Probability of every class");
    find("curves").parentElement.style.height = rows.kind === "numbers" ? "300px" : "220px";
    element.querySelector("#player").classList.toggle("still", rows.shown_s.length < 2);
    find("file-name").textContent = rows.file;
    find("frame-last").textContent = rows.frame[rows.frame.length - 1];
    slider.max = rows.shown_s.length - 1;
  }

  function fail(words) {
    find("player-problem").textContent = words;
    find("player-problem").hidden = !words;
  }

  function close() {
    pause();
    rows = null;
    ready = false;
    current = "";
    find("player").hidden = true;
    if (video.src) URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
    video.load();
    delete find("player").dataset.presented;
  }

  function offer(table) {
    const link = find("download");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(table);
    link.download = `${rows.file.replace(/\.[^.]*$/, "")}.csv`;
  }

  // Where decoding needs a start, a browser's clock may not be 0 at the first picture.
  async function load(film) {
    const loaded = new Promise((done, failed) => {
      video.onloadeddata = done;
      video.onerror = () => failed(new Error("this browser cannot play H.264 videos"));
    });
    const first = new Promise((done) => {
      video.requestVideoFrameCallback?.((_, { mediaTime }) => done(mediaTime));
      setTimeout(() => done(0), 2000);
    });
    video.src = URL.createObjectURL(film);
    await loaded;
    late = await first;
  }

  // All of it is fetched at once: the server may delete its files while the page stays open.
  async function open(address) {
    if (address === current) return;
    close();
    if (!address) return;
    current = address;
    const get = async (name, kind) => {
      const answer = await fetch(address + name);
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return answer[kind]();
    };
    try {
      const files = [["frames.json", "json"], ["video.mp4", "blob"], ["frames.csv", "blob"]];
      const [told, film, table] = await Promise.all(files.map(([name, kind]) => get(name, kind)));
      if (current !== address) return;
      rows = told;
      parts = charts.layCurves(rows, interval());
      fail("");
      find("player").hidden = false;
      layOut();
      offer(table);
      index = late = 0;
      await load(film);
      if (current !== address) return;
      ready = true;
      goTo(0);
      find("player").scrollIntoView({ behavior: "smooth", block: "start" });
    } catch (error) {
      find("player").hidden = false;
      fail(`The result cannot be shown: ${error.message}.`);
    }
  }

  function pressed(event) {
    const typing = event.target.closest?.("input:not([type=range]), textarea, select");
    if (!ready || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "k") step(1);
    else if (key === "j") step(-1);
    else if (key === " " && !event.target.closest?.("button, a")) playing ? pause() : play();
    else return;
    event.preventDefault();
  }

  function point(event) {
    if (!ready || (event.type === "pointermove" && !event.buttons)) return;
    const box = find("curves").getBoundingClientRect(), { left, across } = charts.area(box.width);
    const share = Math.max(0, Math.min(1, (event.clientX - box.left - left) / across));
    pause();
    goTo(frameAt(share * parts.end + late));
  }

  find("back").addEventListener("click", () => step(-1));
  find("forward").addEventListener("click", () => step(1));
  find("play").addEventListener("click", () => (playing ? pause() : play()));
  slider.addEventListener("input", () => {
    pause();
    goTo(Number(slider.value));
  });
  video.addEventListener("seeked", seek);
  video.addEventListener("ended", () => {
    if (!playing) return;
    setPlaying(false);
    show(rows.shown_s.length - 1);
  });
  find("curves").addEventListener("pointerdown", point);
  find("curves").addEventListener("pointermove", point);
  document.addEventListener("keydown", pressed);
  new ResizeObserver(draw).observe(element);
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["class"] });
  follow();
  return { open };
}
