// Drawing on canvases: curves over time, the circle of affect, bars of classes. Each function draws
// everything it is asked for; nothing is remembered between two calls.
"use strict";

const affectkerasCharts = (() => {
  // Named in the style sheet, which has others for a dark page.
  const LINES = ["line-1", "line-2", "line-3", "line-4", "line-5"];
  const FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', sans-serif";
  const NEUTRAL_RADIUS = 0.1, LABELS = 0.75; // parts of the circle's radius

  function begin(canvas) {
    const { width, height } = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    const pixels = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== pixels[0]) canvas.width = pixels[0];
    if (canvas.height !== pixels[1]) canvas.height = pixels[1];
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    return { pen, width, height, color };
  }

  function write(pen, text, x, y, { size = 12, weight = 400, align = "left", color, halo }) {
    pen.font = `${weight} ${size}px ${FONT}`;
    pen.textAlign = align;
    pen.textBaseline = "middle";
    if (halo) {
      pen.strokeStyle = halo;
      pen.lineWidth = 5;
      pen.lineJoin = "round";
      pen.strokeText(text, x, y);
    }
    pen.fillStyle = color;
    pen.fillText(text, x, y);
  }

  function line(pen, x0, y0, x1, y1, color, width = 1) {
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
  }

  function clock(seconds, step) {
    const rest = seconds % 60, digits = step < 1 ? 1 : 0;
    if (seconds < 60) return `${rest.toFixed(digits)} s`;
    return `${Math.floor(seconds / 60)}:${rest.toFixed(digits).padStart(digits ? 4 : 2, "0")}`;
  }

  const signed = (value, digits = 3) =>
    value === null ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

  // Where curves lie: shared by drawing and by finding the time that was clicked.
  function area(width) {
    return { left: 40, right: width - 16, across: width - 56 };
  }

  function timeTicks(end, across) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120];
    const step = steps.find((s) => (across * s) / end >= 64) || 300;
    const ticks = [];
    for (let at = 0; at <= end + 1e-9; at += step) ticks.push(at);
    return { ticks, step };
  }

  // What of the curves stays the same as long as the file is shown.
  function layCurves(rows, interval) {
    const times = rows.shown_s, end = times[times.length - 1] + interval;
    const without = [];
    rows.face.forEach((face, number) => {
      if (face) return;
      const from = times[number], to = times[number + 1] ?? end, last = without[without.length - 1];
      if (last && last[1] === from) last[1] = to;
      else without.push([from, to]);
    });
    const more = without.length ? "shaded: no face" : "";
    const colors = {};
    if (rows.kind === "numbers") {
      const panels = ["valence", "arousal"].map((name, number) => ({
        low: -1, high: 1, marks: [-1, 0, 1], more: number ? "" : more,
        lines: [{ name: name[0].toUpperCase() + name.slice(1), values: rows[name],
          color: LINES[number] }],
      }));
      return { panels, times, end, without, colors };
    }
    const mean = (values) => values.reduce((sum, value) => sum + (value ?? 0), 0) / values.length;
    const order = rows.probabilities.map((values, number) => [mean(values), number]);
    order.sort((a, b) => b[0] - a[0]);
    const lines = order.slice(0, LINES.length).map(([, number], rank) => {
      colors[rows.class_names[number]] = LINES[rank];
      return { name: rows.class_names[number], values: rows.probabilities[number],
        color: LINES[rank] };
    });
    return { panels: [{ low: 0, high: 1, marks: [0, 0.5, 1], lines, more }], times, end, without,
      colors };
  }

  // `panels`: {low, high, marks, lines: [{name, values, color}], more}, one below the other.
  function drawCurves(canvas, { panels, times, end, index, without }) {
    const { pen, width, height, color } = begin(canvas);
    const { left, right, across } = area(width), foot = 24, head = 26;
    const tall = (height - foot) / panels.length;
    const x = (seconds) => left + (across * seconds) / end;
    const { ticks, step } = timeTicks(end, across);
    panels.forEach((panel, number) => {
      const top = number * tall + head, bottom = (number + 1) * tall - 10;
      const unit = (bottom - top) / (panel.high - panel.low);
      const y = (value) => bottom - unit * (value - panel.low);
      pen.fillStyle = color("missing");
      without.forEach(([from, to]) => {
        pen.fillRect(x(from), top, Math.max(1, x(to) - x(from)), bottom - top);
      });
      ticks.forEach((tick) => line(pen, x(tick), top, x(tick), bottom, color("grid")));
      panel.marks.forEach((mark) => {
        line(pen, left, y(mark), right, y(mark), mark === 0 ? color("axis") : color("grid"));
        const text = panel.low < 0 ? signed(mark, 0).replace("+0", "0") : String(mark);
        write(pen, text, left - 8, y(mark), { size: 11, align: "right", color: color("faint") });
      });
      panel.lines.forEach((curve) => drawLine(pen, curve, color(curve.color), times, x, y));
      writeTitles(pen, panel, index, left, right, number * tall + 12, color);
      const cursor = x(times[index]);
      line(pen, cursor, top - 4, cursor, bottom, color("ink"), 1.25);
      panel.lines.forEach((curve) => {
        if (curve.values[index] !== null) {
          const at = y(curve.values[index]);
          dot(pen, cursor, at, 4.5, color(curve.color), color("card"));
        }
      });
    });
    ticks.forEach((tick) => {
      write(pen, clock(tick, step), x(tick), height - foot / 2, {
        size: 11, align: "center", color: color("faint"),
      });
    });
  }

  // Many frames share a pixel: of each pixel the extremes are drawn, so that none is lost.
  function drawLine(pen, { values }, color, times, x, y) {
    pen.strokeStyle = color;
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.beginPath();
    let open = false, column = null;
    const flush = () => {
      if (!column) return;
      const heights = [column.first, column.low, column.high, column.last];
      heights.forEach((height) => {
        if (open) pen.lineTo(column.x, height);
        else pen.moveTo(column.x, height);
        open = true;
      });
      column = null;
    };
    values.forEach((value, number) => {
      if (value === null) {
        flush();
        open = false;
        return;
      }
      const at = x(times[number]), height = y(value);
      if (column && at - column.x < 0.5) {
        column.low = Math.min(column.low, height);
        column.high = Math.max(column.high, height);
        column.last = height;
        return;
      }
      flush();
      column = { x: at, first: height, low: height, high: height, last: height };
    });
    flush();
    pen.stroke();
  }

  function writeTitles(pen, panel, index, left, right, y, color) {
    let at = left;
    panel.lines.forEach(({ name, values, color: ink }) => {
      const value = values[index];
      const number = panel.low < 0 ? signed(value) : value === null ? "–" : value.toFixed(3);
      if (at + 80 > right) return; // a narrow page has no room for all
      dot(pen, at + 5, y, 4.5, color(ink), color(ink));
      write(pen, name, at + 15, y, { size: 13, weight: 600, color: color("ink") });
      at += 15 + pen.measureText(name).width + 8;
      write(pen, number, at, y, { size: 13, color: color("soft") });
      at += pen.measureText("+0.000").width + 22;
    });
    if (panel.more) {
      write(pen, panel.more, right, y, { size: 11, align: "right", color: color("faint") });
    }
  }

  function dot(pen, x, y, radius, fill, edge) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.fill();
    pen.strokeStyle = edge;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  // `trail`: the places [valence, arousal] up to now, the oldest first.
  function drawCircle(canvas, { sectors, sector, place, trail }) {
    const { pen, width, height, color } = begin(canvas);
    const middle = [width / 2, height / 2], radius = Math.min(width, height) / 2 - 20;
    const turn = (2 * Math.PI) / sectors.length;
    // Angles grow against the clock, the canvas's with it.
    const at = ([valence, arousal]) => [middle[0] + radius * valence, middle[1] - radius * arousal];
    pen.beginPath();
    pen.arc(...middle, radius, 0, 2 * Math.PI);
    pen.fillStyle = color("dial");
    pen.fill();
    const chosen = sectors.indexOf(sector);
    if (chosen >= 0) {
      pen.beginPath();
      pen.moveTo(...middle);
      pen.arc(...middle, radius, -(chosen + 0.5) * turn, -(chosen - 0.5) * turn);
      pen.closePath();
      pen.fillStyle = color("chosen");
      pen.fill();
    }
    sectors.forEach((_, number) => {
      const angle = (number + 0.5) * turn, [x, y] = at([Math.cos(angle), Math.sin(angle)]);
      const [x0, y0] = at([NEUTRAL_RADIUS * Math.cos(angle), NEUTRAL_RADIUS * Math.sin(angle)]);
      line(pen, x0, y0, x, y, color("card"), 1.5);
    });
    pen.setLineDash([2, 4]);
    line(pen, ...at([-1, 0]), ...at([1, 0]), color("axis"));
    line(pen, ...at([0, -1]), ...at([0, 1]), color("axis"));
    pen.setLineDash([]);
    pen.beginPath();
    pen.arc(...middle, radius * NEUTRAL_RADIUS, 0, 2 * Math.PI);
    pen.fillStyle = sector === "neutral" ? color("chosen") : color("card");
    pen.fill();
    pen.strokeStyle = color("axis");
    pen.lineWidth = 1;
    pen.stroke();
    sectors.forEach((name, number) => {
      const angle = number * turn;
      const [x, y] = at([LABELS * Math.cos(angle), LABELS * Math.sin(angle)]);
      const shown = number === chosen;
      write(pen, name, x, y, {
        size: 11.5, weight: shown ? 700 : 400, align: "center",
        color: color(shown ? "ink" : "soft"), halo: color(shown ? "chosen" : "dial"),
      });
    });
    const label = { size: 11, align: "center", color: color("faint") };
    write(pen, "arousal +", middle[0], middle[1] - radius - 10, label);
    pen.save();
    pen.translate(middle[0] + radius + 10, middle[1]);
    pen.rotate(Math.PI / 2);
    write(pen, "valence +", 0, 0, label);
    pen.restore();
    trail.forEach((point, number) => {
      const [x, y] = at(point);
      pen.globalAlpha = (0.45 * (number + 1)) / trail.length;
      pen.beginPath();
      pen.arc(x, y, 2.2, 0, 2 * Math.PI);
      pen.fillStyle = color("ink");
      pen.fill();
    });
    pen.globalAlpha = 1;
    if (place) dot(pen, ...at(place), 7, color("dot"), color("card"));
  }

  function drawBars(canvas, { names, values, chosen, colors }) {
    const { pen, width, height, color } = begin(canvas);
    const step = Math.min(34, height / names.length), top = (height - step * names.length) / 2;
    const left = Math.min(112, width * 0.34), across = width - left - 52;
    names.forEach((name, number) => {
      const y = top + step * (number + 0.5), value = values[number], shown = name === chosen;
      write(pen, name, left - 10, y, {
        size: 12.5, weight: shown ? 700 : 400, align: "right", color: color(shown ? "ink" : "soft"),
      });
      pen.fillStyle = color("dial");
      pen.fillRect(left, y - 7, across, 14);
      if (value === null) return;
      pen.fillStyle = color(colors[name] || "axis");
      pen.fillRect(left, y - 7, Math.max(1, across * value), 14);
      write(pen, value.toFixed(3), left + across + 8, y, { size: 12, color: color("soft") });
    });
  }

  return { area, drawBars, drawCircle, drawCurves, layCurves, signed };
})();
