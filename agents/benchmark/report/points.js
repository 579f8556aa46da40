// Points with whiskers: in the plane, and in rows.

function dot(name, x, y, { size = 1, ...extra } = {}) {
  const look = looks.get(name);
  return s("path", { d: look.marker, fill: look.colour, transform: `translate(${x},${y}) scale(${size})`, ...extra });
}

// `points` have a name, intervals x and y, lines of text, and whether they are named or ringed.
function scatterFigure({ label, x, y, points, front = [], words, numbers }) {
  const chart = h("div", { class: "canvas wide" });
  if (!points.length) return h("figure", {}, nothing(), caption(words));
  requestAnimationFrame(() => {
    if (chart.isConnected) chart.append(scatter(chart, { label, x, y, points, front }));
  });
  return figure(chart, words, numbers);
}

function scatter(box, { label, x, y, points, front }) {
  const chart = frame(box, { label, x, y });
  const within = clamp(chart);
  if (front.length) {
    const steps = front.map((point, place) => {
      const [across, up] = [chart.x(point.x.value), chart.y(point.y.value)];
      return place ? `V${up.toFixed(1)}H${across.toFixed(1)}` : `M${across.toFixed(1)},${up.toFixed(1)}`;
    });
    chart.axis.append(s("path", { d: steps.join(""), class: "front" }));
  }
  const placed = points.map((point) => ({
    point, x: point.across ?? within.x(point.x.value), y: within.y(point.y.value),
    text: point.named ? short(point.name, box.clientWidth < 480 ? 16 : 26) : "",
  }));
  chart.layer.append(...placed.map(({ point, ...at }) => cross(chart, within, point, at)));
  const nodes = placed.map(({ point, x: across, y: down }) => ({
    node: s("g", { class: point.named ? "" : "aside" },
      point.ringed ? s("circle", { cx: across, cy: down, r: 9, class: "ring" }) : null,
      s("circle", { cx: across, cy: down, r: 12, class: "cover" }),
      dot(point.name, across, down, beyond(chart, point) ? { class: "hollow", stroke: looks.get(point.name).colour } : {})),
    lines: point.lines, name: point.name,
  }));
  chart.layer.append(...nodes.map(({ node }) => node));
  marks(nodes);
  placeNames(chart, placed);
  return chart.svg;
}

// Keeps what lies beyond the axes at their edge.
function clamp({ x, y, area }) {
  return {
    x: (value) => Math.min(Math.max(x(value), area.left), area.right),
    y: (value) => Math.min(Math.max(y(value), area.top), area.bottom),
  };
}

function beyond({ x, y, area }, point) {
  const [across, up] = [x(point.x.value), y(point.y.value)];
  return (point.across === undefined && (across < area.left || across > area.right)) || up < area.top || up > area.bottom;
}

function cross(chart, within, point, at) {
  const colour = looks.get(point.name).colour;
  const arm = (x1, y1, x2, y2) => s("line", { x1, y1, x2, y2, stroke: colour, class: "whisker" });
  const has = (interval) => known(interval) && interval.low !== null;
  return s("g", { class: point.named ? "" : "aside" },
    has(point.x) ? arm(within.x(point.x.low), at.y, within.x(point.x.high), at.y) : null,
    has(point.y) ? arm(at.x, within.y(point.y.low), at.x, within.y(point.y.high)) : null);
}

// `rows` have a label, a smaller text, and items of a name, an interval and lines of text.
function rowsFigure({ label, x, rows, words, numbers }) {
  const chart = h("div", { class: "canvas wide" });
  if (!rows.some((row) => row.items.length)) return h("figure", {}, nothing(), caption(words));
  requestAnimationFrame(() => {
    if (chart.isConnected) chart.append(rowsChart(chart, { label, x, rows }));
  });
  return figure(chart, words, numbers);
}

const PITCH = 14;

function rowsChart(box, { label, x, rows }) {
  const beside = box.clientWidth > 620;
  const left = beside ? 190 : 8;
  const heads = beside ? 14 : 26;
  const tall = rows.reduce((sum, row) => sum + heads + Math.max(row.items.length, beside ? 2 : 1) * PITCH, 0);
  const chart = frame(box, {
    label, height: tall + 72, left, x, y: { range: [tall, 0], ticks: [], label: "" },
  });
  for (const place of x.ticks || ticks(...x.range)) {
    chart.axis.append(s("line", {
      x1: chart.x(place), x2: chart.x(place), y1: chart.area.top, y2: chart.area.bottom, class: place === x.zero ? "event" : "grid",
    }));
  }
  const nodes = [];
  let top = chart.area.top;
  for (const row of rows) {
    const deep = heads + Math.max(row.items.length, beside ? 2 : 1) * PITCH;
    chart.axis.append(...rowHead(row, beside, beside ? top + deep / 2 : top + 16, left));
    row.items.forEach((item, place) => {
      const slack = beside ? (deep - row.items.length * PITCH) / 2 : heads - 4;
      const node = whisker(chart, item, top + slack + (place + 0.5) * PITCH);
      nodes.push({ node, lines: item.lines, name: item.name });
    });
    top += deep;
  }
  chart.layer.append(...nodes.map(({ node }) => node));
  marks(nodes);
  return chart.svg;
}

function rowHead(row, beside, middle, left) {
  if (!beside) {
    const note = row.note ? s("tspan", { class: "title" }, `  ${row.note}`) : null;
    return [s("text", { x: 0, y: middle, class: "head" }, short(row.label, 28), note)];
  }
  return [
    s("text", { x: left - 16, y: middle, class: "head end" }, short(row.label, 28)),
    s("text", { x: left - 16, y: middle + 14, class: "title end" }, row.note || ""),
  ];
}

function whisker(chart, item, height) {
  const within = clamp(chart);
  const { value, low, high } = item.interval;
  const colour = looks.get(item.name).colour;
  return s("g", {},
    s("rect", { x: chart.area.left, y: height - PITCH / 2, width: chart.area.right - chart.area.left, height: PITCH, class: "cover" }),
    low === null ? null : s("line", { x1: within.x(low), x2: within.x(high), y1: height, y2: height, stroke: colour, class: "whisker strong" }),
    dot(item.name, within.x(value), height));
}
