// Curves with their intervals as ribbons, read off with the pointer or the arrow keys.

// `series` have a name, places `at`, and a curve; a curve's values may be null.
function lineFigure({ label, x, y, series, marked = [], words, column, numbers }) {
  const chart = h("div", { class: "canvas" });
  const drawing = h("div", { class: "plot" }, chart);
  if (!series.length) return h("figure", {}, nothing(), caption(words));
  requestAnimationFrame(() => {
    if (!chart.isConnected) return;
    chart.append(lineChart(chart, { label, x, y, series, marked }));
  });
  drawing.append(legend(series, chart));
  return figure(drawing, words, numbers || (() => curveTable(label, series, column)));
}

const nothing = () =>
  h("p", { class: "notice" }, "None of the chosen methods is here: choose others under “Methods”.");

function lineChart(box, { label, x, y, series, marked }) {
  const values = series.flatMap(({ curve }) => [...curve.value, ...curve.low, ...curve.high]);
  const at = longest(series);
  const chart = frame(box, {
    label, x: { range: [at[0], at[at.length - 1]], ...x }, y: { range: span(values, y.limits), ...y },
  });
  for (const { at: place, text } of marked) {
    const across = chart.x(place);
    const beside = across > chart.area.right - 90 ? { x: across - 5, class: "name end" } : { x: across + 5, class: "name" };
    chart.axis.append(s("line", { x1: across, x2: across, y1: chart.area.top, y2: chart.area.bottom, class: "event" }));
    chart.notes.append(s("text", { y: chart.area.bottom - 8, ...beside }, text));
  }
  if (x.diagonal) chart.axis.append(s("path", { d: path(chart, y.range, y.range), class: "event" }));
  chart.layer.append(...series.map((one) => ribbon(chart, one)), ...series.map((one) => line(chart, one)));
  if (!x.diagonal) chart.svg.append(reader(chart, label, x, series, at));
  return chart.svg;
}

const longest = (series) =>
  series.reduce((most, { at }) => (at.length > most.length ? at : most), []);

// A path through the points that are known, broken where one is not.
function path(chart, at, values) {
  let pen = "M";
  return at.map((place, index) => {
    if (values[index] === null || values[index] === undefined) {
      pen = "M";
      return "";
    }
    const text = `${pen}${chart.x(place).toFixed(1)},${chart.y(values[index]).toFixed(1)}`;
    pen = "L";
    return text;
  }).join("");
}

function ribbon(chart, { name, at, curve }) {
  const inside = at.map((_, index) => index)
    .filter((index) => curve.low[index] !== null && curve.high[index] !== null);
  const there = inside.map((index) => `${chart.x(at[index]).toFixed(1)},${chart.y(curve.high[index]).toFixed(1)}`);
  const back = inside.map((index) => `${chart.x(at[index]).toFixed(1)},${chart.y(curve.low[index]).toFixed(1)}`);
  return s("polygon", {
    points: [...there, ...back.reverse()].join(" "), fill: looks.get(name).colour, class: "ribbon", "data-name": name,
  });
}

function line(chart, { name, at, curve }) {
  const look = looks.get(name);
  const every = Math.max(1, Math.ceil(at.length / 12));
  const markers = at.map((_, index) => index)
    .filter((index) => index % every === Math.floor(every / 2) && curve.value[index] !== null)
    .map((index) => s("path", {
      d: look.marker, fill: look.colour, transform: `translate(${chart.x(at[index])},${chart.y(curve.value[index])}) scale(0.85)`,
    }));
  return s("g", { class: "series", "data-name": name },
    s("path", { d: path(chart, at, curve.value), class: "line", stroke: look.colour, "stroke-dasharray": look.dash }),
    markers);
}

// A slider over the chart: shows every curve's value at one place.
function reader(chart, label, x, series, at) {
  const { area } = chart;
  const rule = s("line", { y1: area.top, y2: area.bottom, class: "rule" });
  const cover = s("rect", {
    x: area.left, y: area.top, width: area.right - area.left, height: area.bottom - area.top, class: "cover",
    role: "slider", tabindex: 0, "aria-label": `Read off: ${label}`,
    "aria-valuemin": at[0], "aria-valuemax": at[at.length - 1], "aria-valuenow": at[0],
  });
  let place = 0;
  const show = (index, height) => {
    place = Math.min(Math.max(index, 0), at.length - 1);
    const values = valuesAt(series, at[place]);
    const across = chart.x(at[place]);
    make(rule, { x1: across, x2: across, class: "rule on" }, []);
    const head = `${x.one || x.label} ${at[place]}`;
    make(cover, {
      "aria-valuenow": at[place], "aria-valuetext": [head, ...values.map(([name, text]) => `${name} ${text}`)].join(", "),
    }, []);
    const frameBox = chart.svg.getBoundingClientRect();
    showTip([h("strong", {}, head), ...values.slice(0, 12).map(([name, text]) =>
      h("div", { class: "entry" }, swatch(name), h("span", {}, short(name)), h("b", {}, text)))],
    frameBox.x + across * (frameBox.width / chart.svg.viewBox.baseVal.width), height ?? frameBox.y + frameBox.height / 2);
  };
  const hide = () => {
    rule.setAttribute("class", "rule");
    hideTip();
  };
  make(cover, {
    onpointermove: (event) => show(nearest(chart, at, event), event.clientY),
    onpointerleave: hide, onblur: hide, onfocus: () => show(place),
    onkeydown: (event) => {
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -at.length, End: at.length };
      if (!(event.key in steps)) return;
      event.preventDefault();
      show(place + steps[event.key]);
    },
  }, []);
  return s("g", {}, rule, cover);
}

function nearest(chart, at, event) {
  const frameBox = chart.svg.getBoundingClientRect();
  const across = (event.clientX - frameBox.x) * (chart.svg.viewBox.baseVal.width / frameBox.width);
  const away = at.map((place) => Math.abs(chart.x(place) - across));
  return away.indexOf(Math.min(...away));
}

// The names and texts of the curves that have a value there, the highest first.
function valuesAt(series, place) {
  return series.map(({ name, at, curve }) => [name, curve.value[at.indexOf(place)]])
    .filter(([, value]) => value !== null && value !== undefined)
    .sort((one, other) => other[1] - one[1])
    .map(([name, value]) => [name, number(value, 3)]);
}

// In the order in which curves end, so that the eye need not match colours.
function legend(series, chart) {
  const end = ({ curve }) => curve.value.filter((value) => value !== null).at(-1) ?? -Infinity;
  const stress = (name) => chart.querySelectorAll("[data-name]").forEach((node) =>
    node.classList.toggle("faint", name !== null && node.dataset.name !== name));
  return h("ul", { class: "legend", "aria-label": "Curves, the highest at the end first" },
    [...series].sort((one, other) => end(other) - end(one)).map(({ name }) => h("li", {},
      h("button", {
        type: "button", "data-key": `legend-${name}`, title: `Take ${name} out of the figures`,
        onpointerenter: () => stress(name), onpointerleave: () => stress(null),
        onfocus: () => stress(name), onblur: () => stress(null),
        onclick: () => update({ methods: now.methods.filter((other) => other !== name) }),
      }, swatch(name), h("span", {}, short(name))))));
}

function curveTable(label, series, { heading, decimals = 3 }) {
  const rows = longest(series).map((place) => ({ name: String(place), place }));
  return table(`Numbers: ${label}`, [
    { key: "place", heading, cell: (row) => row.name },
    ...series.map(({ name, at, curve }) => ({
      key: name, heading: name,
      cell: ({ place }) => {
        const index = at.indexOf(place);
        const one = (part) => curve[part][index] ?? null;
        return intervalCell({ value: one("value"), low: one("low"), high: one("high") }, decimals);
      },
    })),
  ], rows);
}
