// One user's trial: what was shown, clicked, believed and true, request by request.

// Clicks are summed over a slate; what is believed, true and best are means over its items.
const total = (steps, part) => {
  const seen = steps.filter((step) => step[part] !== null);
  const sum = seen.reduce((all, step) => all + step[part] * (part === "clicks" ? 1 : step.items.length), 0);
  return seen.length ? sum : null;
};
const named = (trial) => (trial.group ? `${trial.user}, ${trial.group}` : String(trial.user));

function trialWords(trial, name, steps) {
  const last = steps.at(-1);
  const said = [`${name} showed user ${named(trial)}, ${plural(steps.length, "slate")} in ${plural(last.session, "session")} over ${number(last.day, 1)} days and got ${number(total(steps, "clicks"), 0)} clicks.`];
  if (total(steps, "expected") !== null) {
    said.push(`Of what it showed ${number(total(steps, "expected"), 1)} were to be expected, and ${number(total(steps, "best"), 1)} of the best that could be shown.`);
  }
  const both = steps.filter((step) => step.predicted !== null && step.expected !== null);
  const off = both.reduce((sum, step) => sum + Math.abs(step.predicted - step.expected), 0) / both.length;
  said.push(both.length ? `The click probability that it believed was off by ${number(off)} on average.` : "It does not say what it believes.");
  return said.join(" ");
}

view(["scenario", "user", "shown", "a"], () => {
  const { trial, shown: name } = now;
  $("trial-controls").hidden = !trial;
  if (!trial) {
    $("trial-words").textContent = "No trial was kept of this scenario.";
    fill($("trial-figure"));
    fill($("trial-table"));
    return;
  }
  fillSelect($("user"), now.scenario.trials.map((one) => [String(one.user), named(one)]), String(trial.user));
  fillSelect($("shown"), Object.keys(trial.methods).map((one) => [one]), name);
  const steps = trial.methods[name];
  $("trial-words").textContent = trialWords(trial, name, steps);
  const scroll = h("div", { class: "scroll strip", role: "region", tabindex: 0, "aria-label": `Trial of user ${trial.user} with ${name}` });
  fill($("trial-figure"), h("figure", {}, trialKey(), scroll,
    caption(`One user, request by request. True and best: the click probability of what was shown and of the best that could be, by the user’s hidden state, mean over the slate; believed: the method’s own prediction. Every cell below is a request, filled where something was clicked; vertical lines begin sessions. One trial is no evidence: no interval.`)));
  requestAnimationFrame(() => {
    if (scroll.isConnected) scroll.append(strip(scroll, name, steps));
  });
  fill($("trial-table"), h("details", { class: "numbers" }, h("summary", {}, `All ${plural(steps.length, "request")}, and every method on this user`),
    table(`Methods on user ${trial.user}`, TRIAL_TOTALS, Object.entries(trial.methods).map(([one, all]) => ({ name: one, steps: all }))),
    table(`Requests of user ${trial.user} with ${name}`, REQUESTS, steps.map((step) => ({ ...step, name: String(step.request) })))));
});

function trialKey() {
  const entry = (mark, text) => h("li", {}, h("span", {}, s("svg", { class: "swatch", width: 26, height: 12, viewBox: "-13 -6 26 12", "aria-hidden": true }, mark), text));
  return h("ul", { class: "legend flat" },
    entry(s("path", { d: "M-13,0H13", class: "best" }), "best"),
    entry(s("path", { d: "M-13,0H13", class: "expected" }), "true"),
    entry(s("circle", { r: 3, class: "believed" }), "believed"),
    entry(s("rect", { x: -4, y: -6, width: 8, height: 12, class: "cell hit" }), "clicked"),
    entry(s("rect", { x: -4, y: -6, width: 8, height: 12, class: "cell" }), "not clicked"));
}

const STRIP = 46;

function strip(box, name, steps) {
  const room = (box.clientWidth - 66) / steps.length;
  const pitch = Math.min(22, Math.max(7, room));
  const canvas = { clientWidth: Math.floor(66 + pitch * steps.length) };
  const seen = steps.flatMap((step) => [step.expected ?? 0, step.best ?? 0, step.predicted ?? 0]);
  const at = steps.map((step) => step.request);
  const chart = frame(canvas, {
    label: `Believed and true clicks, ${name}`, height: 250 + STRIP, y: { label: "probability of a click", range: [0, Math.max(0.1, ...seen) * 1.08] },
    x: { label: "request", range: [at[0] - 0.5, at.at(-1) + 0.5], ticks: ticks(at[0], at.at(-1), 8).filter(Number.isInteger) },
  });
  const { area } = chart;
  beginnings(chart, steps);
  for (const part of ["best", "expected"]) {
    chart.layer.append(s("path", { d: path(chart, at, steps.map((step) => step[part])), class: part }));
  }
  for (const step of steps.filter((one) => one.predicted !== null)) {
    chart.layer.append(s("circle", { cx: chart.x(step.request), cy: chart.y(step.predicted), r: 2.6, class: "believed" }));
  }
  const row = s("g", { transform: `translate(0,${area.bottom + 50})` });
  const nodes = steps.map((step) => ({ node: cell(chart, step, pitch), lines: requestLines(step), name: String(step.request) }));
  row.append(...nodes.map(({ node }) => node));
  chart.svg.setAttribute("height", 250 + STRIP + 34);
  chart.svg.setAttribute("viewBox", `0 0 ${chart.svg.getAttribute("width")} ${250 + STRIP + 34}`);
  chart.svg.append(row);
  marks(nodes);
  return chart.svg;
}

function beginnings(chart, steps) {
  let free = -Infinity;
  steps.forEach((step, place) => {
    if (place && step.session === steps[place - 1].session) return;
    const across = chart.x(step.request - 0.5);
    chart.axis.append(s("line", { x1: across, x2: across, y1: chart.area.top, y2: chart.area.bottom + 74, class: "session" }));
    if (across < free) return;
    const text = `day ${number(step.day, 1)}`;
    chart.axis.append(s("text", { x: across + 4, y: chart.area.top - 2 + 10, class: "title" }, text));
    free = across + text.length * 7 + 12;
  });
}

function cell(chart, step, pitch) {
  return s("rect", {
    x: chart.x(step.request) - pitch / 2 + 1, y: 0, width: pitch - 2, height: 24, rx: 1.5, class: step.clicks > 0 ? "cell hit" : "cell",
  });
}

function shownText(step) {
  return step.items.map((item, place) => {
    const title = step.titles && step.titles[place] ? step.titles[place] : `item ${item}`;
    const topic = step.topics ? step.topics[place] : null;
    return topic === null || topic === undefined ? title : `${title} (${topic})`;
  }).join("; ");
}

const requestLines = (step) => [
  `Request ${step.request}, session ${step.session}, day ${number(step.day, 1)}`, `shown: ${shownText(step)}`,
  `clicks ${number(step.clicks, 0)}, believed ${number(step.predicted)}, true ${number(step.expected)}, best ${number(step.best)}`,
];

const REQUESTS = [
  { key: "request", heading: "request", cell: (step) => step.name },
  { key: "session", heading: "session", cell: (step) => String(step.session) },
  { key: "day", heading: "day", cell: (step) => number(step.day, 2) },
  { key: "shown", heading: "shown (topic)", text: true, cell: shownText },
  { key: "clicks", heading: "clicks", cell: (step) => number(step.clicks, 0) },
  { key: "predicted", heading: "believed", cell: (step) => number(step.predicted) },
  { key: "expected", heading: "true", cell: (step) => number(step.expected) },
  { key: "best", heading: "best", cell: (step) => number(step.best) },
];

const TRIAL_TOTALS = [
  nameColumn(),
  { key: "requests", heading: "requests", cell: (row) => String(row.steps.length) },
  { key: "sessions", heading: "sessions", cell: (row) => String(row.steps.at(-1).session) },
  { key: "clicks", heading: "clicks", cell: (row) => number(total(row.steps, "clicks"), 0) },
  { key: "expected", heading: "to be expected", cell: (row) => number(total(row.steps, "expected"), 1) },
  { key: "best", heading: "at best", cell: (row) => number(total(row.steps, "best"), 1) },
];
