// Clicks against retention, groups of users, and click predictions.

const DAYS = ["retention-1", "retention-7", "retention-30"];

// Radio buttons for one choice.
function radios(fieldset, name, options) {
  const chosen = now[name] || options[0][0];
  const legend = fieldset.querySelector("legend");
  fill(fieldset, legend, options.map(([value, text]) => h("label", {},
    h("input", {
      type: "radio", name, value, checked: value === chosen, "data-key": `${name}-${value}`,
      onchange: () => update({ [name]: value }),
    }), text)));
  return chosen;
}

// Those that no other beats in both, from the most clicks to the most retention.
function paretoFront(points) {
  const found = [];
  const ordered = [...points].sort((one, other) => other.x.value - one.x.value || other.y.value - one.y.value);
  for (const point of ordered) {
    if (!found.length || point.y.value > found.at(-1).y.value) found.push(point);
  }
  return found;
}

view(["scenario", "methods", "day"], () => {
  const one = now.scenario;
  const days = DAYS.filter((name) => one.methods.some((row) => known(row.metrics[name])));
  $("day-choice").hidden = !days.length;
  const preferred = ["retention-30", "retention-7", "retention-1"].filter((name) => days.includes(name));
  const day = days.length ? radios($("day-choice"), "day", preferred.map((name) => [name, labelOf(name).label])) : DAYS[0];
  const rows = one.methods.filter((row) => known(row.metrics.ctr) && known(row.metrics[day]));
  const points = rows.map((row) => ({ name: row.name, x: row.metrics.ctr, y: row.metrics[day] }));
  const front = paretoFront(points.filter((point) => !isReference(point.name)));
  // Random and the oracles are so far out that the rest would be squeezed together.
  const shown = points.filter(({ name }) => !isReference(name) || [one.baseline, one.reference].includes(name));
  for (const point of points) {
    point.ringed = front.includes(point);
    point.named = point.ringed || now.methods.includes(point.name);
    point.lines = [point.name + (point.ringed ? ", on the front" : ""), `CTR ${withBounds(point.x)}`, `${labelOf(day).label} ${withBounds(point.y)}`];
  }
  const range = (axis) => span(shown.flatMap((point) => ends(point[axis])), [0, 1]);
  fill($("pareto-figure"), scatterFigure({
    label: `CTR against retention in ${one.name}`, points, front,
    x: { label: "click-through rate", range: range("x") }, y: { label: `active on or after ${labelOf(day).label}`, range: range("y") },
    words: `${plural(points.length, "method")} on ${users()}. Ringed and joined: the Pareto front, methods that no other beats in both CTR and retention, references left aside (by the estimates; mind the ${level()} intervals, drawn as bars). Named: the front and the chosen methods. Hollow marks lie beyond the axes.`,
    numbers: () => table("Numbers: CTR against retention", [
      nameColumn(), intervalColumn("ctr", "CTR", (row) => row.x), intervalColumn("day", labelOf(day).label, (row) => row.y),
      { key: "front", heading: "on the front", text: true, cell: (row) => (row.ringed ? "yes" : "no") },
    ], points),
  }));
});

const ends = ({ value, low, high }) => [value, low, high];

view(["scenario", "methods", "measure"], () => {
  const one = now.scenario;
  const measure = radios($("measure-choice"), "measure", [["ctr", "CTR"], ["score", "score"]]);
  const decimals = measure === "ctr" ? 3 : 2;
  const sizes = new Map(one.methods.flatMap((row) => row.groups.map((group) => [group.name, group.users])));
  const names = [...sizes.keys()].sort((x, y) => sizes.get(x) - sizes.get(y));
  $("groups").hidden = !names.length;
  const find = (row, name) => (row.groups.find((group) => group.name === name) || {})[measure];
  const chosen = now.methods.map((name) => rowOf(one, name)).filter(Boolean);
  const rows = names.map((group) => ({
    label: group, note: plural(sizes.get(group), "user"),
    items: chosen.filter((row) => known(find(row, group))).map((row) => ({
      name: row.name, interval: find(row, group), lines: [`${row.name}, ${group}`, `${measure === "ctr" ? "CTR" : "score"} ${withBounds(find(row, group), decimals)}`],
    })),
  }));
  const seen = rows.flatMap((row) => row.items.flatMap(({ interval }) => ends(interval)));
  fill($("groups-figure"), chosen.length ? key(chosen.map((row) => row.name)) : null, rowsFigure({
    label: `Groups of users in ${one.name}`, rows,
    x: { label: measure === "ctr" ? "click-through rate" : "score within the group", range: span(seen, measure === "ctr" ? [0, 1] : CLIP) },
    words: `Does a method serve the few as well as the many? The smallest group comes first. Lines: ${level()} bootstrap intervals. `
      + "Groups differ in how much they click whatever they are shown: compare methods within a group.",
    numbers: () => table(`Numbers: groups in ${one.name}`, [
      nameColumn(), ...names.map((name) => intervalColumn(name, `${name}, ${plural(sizes.get(name), "user")}`, (row) => find(row, name), decimals)),
    ], one.methods.filter((row) => row.groups.length)),
  }));
});

// A legend that only explains.
const key = (names) =>
  h("ul", { class: "legend flat" }, names.map((name) => h("li", {}, h("span", {}, swatch(name), short(name)))));

const QUALITIES = [
  ["auc", "AUC"], ["log_loss", "log loss"], ["calibration_error", "calibration error"],
  ["accuracy", "accuracy"], ["precision", "precision"], ["recall", "recall"], ["f1", "F1"],
];

view(["scenario", "methods", "quality", "turn"], () => {
  const one = now.scenario;
  const rows = one.methods.filter((row) => row.predictions);
  if (!rows.length) {
    fill($("predictions-figure"), h("p", { class: "notice" }, "No method of this scenario predicts clicks."));
    fill($("predictions-table"));
    return;
  }
  const series = rows.filter((row) => now.methods.includes(row.name)).map(calibration);
  const most = Math.max(0.1, ...series.flatMap(({ at, curve }) => [...at, ...curve.value.filter((value) => value !== null)]));
  const range = [0, Math.min(1, Math.ceil(most * 10) / 10)];
  fill($("predictions-figure"), lineFigure({
    label: `Calibration in ${one.name}`, series,
    x: { label: "predicted probability of a click", range, diagonal: true }, y: { label: "share clicked", range },
    words: `Reliability: predictions in bins of equal width; on the dotted line they come true as often as they say. ${plural(rows.length, "method")} of ${one.methods.length} predict${rows.length === 1 ? "s" : ""} clicks.`,
    column: { heading: "predicted" }, numbers: () => binTable(one, rows),
  }));
  const lower = new Set(["log_loss", "calibration_error"]);
  fill($("predictions-table"), h("figure", {},
    table(`Click predictions in ${one.name}`, [
      nameColumn(), ...QUALITIES.map(([name, heading]) => intervalColumn(name, heading, (row) => row.predictions[name], 3, { ascending: lower.has(name) })),
    ], rows, { sort: "quality", direction: "turn", first: "auc" }),
    caption(`How well clicks on what was shown are foreseen; methods are asked about their own slates, so that they do not answer the same questions. ${level()} bootstrap intervals.`)));
});

function calibration(row) {
  const bins = row.predictions.bins.filter((bin) => bin.count && bin.clicked !== null);
  const none = bins.map(() => null);
  return { name: row.name, at: bins.map((bin) => bin.predicted), curve: { value: bins.map((bin) => bin.clicked), low: none, high: none } };
}

function binTable(one, rows) {
  const bins = rows.flatMap((row) => row.predictions.bins.filter((bin) => bin.count).map((bin) => ({ ...bin, name: row.name })));
  return table(`Numbers: calibration in ${one.name}`, [
    nameColumn(),
    { key: "predicted", heading: "predicted", cell: (bin) => number(bin.predicted) },
    { key: "clicked", heading: "clicked", cell: (bin) => number(bin.clicked) },
    { key: "count", heading: "impressions", cell: (bin) => count(bin.count) },
  ], bins);
}
