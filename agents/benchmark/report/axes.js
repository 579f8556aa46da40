// Scales, ticks and the frame that every figure is drawn in.

const linear = (from, to, start, end) => (value) =>
  start + ((value - from) / (to - from || 1)) * (end - start);
const logarithmic = (from, to, start, end) => {
  const scale = linear(Math.log(from), Math.log(to), start, end);
  return (value) => scale(Math.log(value));
};

// About `amount` round numbers that span a range.
function ticks(from, to, amount = 5) {
  const rough = (to - from || 1) / amount;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(from / step - 1e-9); place * step <= to + step * 1e-9; place += 1) {
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

// As many decimals as tell the ticks apart.
function tickText(values) {
  const step = values.length > 1 ? values[1] - values[0] : values[0];
  let decimals = Math.max(0, -Math.floor(Math.log10(Math.abs(step) || 1) + 1e-9));
  if (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return (value) => number(value, decimals);
}

// A range with a little air that holds all values, between limits where there are some.
function span(values, limits = [-Infinity, Infinity]) {
  const seen = values.filter((value) => value !== null && value !== undefined);
  if (!seen.length) return [0, 1];
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const air = (most - least) * 0.05 || Math.abs(most) * 0.1 || 0.1;
  return [Math.max(least - air, limits[0]), Math.min(most + air, limits[1])];
}

// Axes with labels; gives the svg, a layer for what is drawn, and the scales x and y.
function frame(box, { label, x, y, height, left = 46 }) {
  const width = Math.max(240, box.clientWidth);
  const tall = height || (width < 480 ? 250 : 320);
  const [right, top, bottom] = [14, 24, 44];
  const make_x = x.logarithmic ? logarithmic : linear;
  const scales = {
    x: make_x(...x.range, left + (x.indent || 0), width - right),
    y: linear(...y.range, tall - bottom, top),
  };
  const axis = s("g", { class: "axis", "aria-hidden": true });
  const layer = s("g", {});
  const notes = s("g", { class: "axis", "aria-hidden": true });
  const svg = s("svg", { class: "chart", viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: "group", "aria-label": label }, axis, layer, notes);
  drawY(axis, y, scales.y, left, width - right);
  drawX(axis, x, scales.x, tall - bottom, width - right, left);
  axis.append(
    s("text", { x: 0, y: 11, class: "title" }, y.label),
    s("text", { x: width - right, y: tall - 6, class: "title end" }, x.label),
  );
  return { svg, layer, axis, notes, ...scales, area: { left, right: width - right, top, bottom: tall - bottom } };
}

function drawY(axis, y, scale, left, right) {
  const places = y.ticks || ticks(...y.range);
  const text = y.text || tickText(places);
  for (const place of places) {
    const height = scale(place);
    axis.append(
      s("line", { x1: left, x2: right, y1: height, y2: height, class: "grid" }),
      s("text", { x: left - 8, y: height + 4, class: "end" }, text(place)),
    );
  }
}

function drawX(axis, x, scale, base, right, left) {
  const places = x.ticks || ticks(...x.range, right < 480 ? 4 : 7);
  const text = x.text || tickText(places);
  axis.append(s("line", { x1: left, x2: right, y1: base, y2: base, class: "base" }));
  if (x.before) {
    axis.append(
      s("line", { x1: left + x.indent, x2: left + x.indent, y1: 24, y2: base, class: "grid" }),
      s("text", { x: left + x.indent / 2, y: base + 18, class: "middle" }, x.before));
  }
  for (const place of places) {
    const across = scale(place);
    axis.append(
      s("line", { x1: across, x2: across, y1: base, y2: base + 4, class: "base" }),
      s("text", { x: across, y: base + 18, class: "middle" }, text(place)),
    );
  }
}

// Puts names beside points where there is room: to the right, left, above or below.
function placeNames(chart, points) {
  const { area } = chart;
  const taken = points.map(({ x, y }) => [x - 5, y - 5, x + 5, y + 5]);
  const free = ([x1, y1, x2, y2]) => x1 >= area.left && x2 <= area.right && y1 >= area.top - 8
    && y2 <= area.bottom && taken.every((one) => x2 < one[0] || x1 > one[2] || y2 < one[1] || y1 > one[3]);
  for (const { x, y, text } of points.filter((point) => point.text)) {
    const wide = text.length * 6.4;
    const places = [
      [x + 8, y + 4, ""], [x - 8 - wide, y + 4, ""], [x - wide / 2, y - 9, ""], [x - wide / 2, y + 17, ""],
      [x + 7, y - 7, ""], [x + 7, y + 14, ""], [x - 7 - wide, y - 7, ""], [x - 7 - wide, y + 14, ""],
    ];
    for (const [across, down] of places) {
      const room = [across, down - 10, across + wide, down + 2];
      if (!free(room)) continue;
      taken.push(room);
      chart.notes.append(s("text", { x: across, y: down, class: "name" }, text));
      break;
    }
  }
}
