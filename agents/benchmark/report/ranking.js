// The suite as a whole: ranking, performance profiles, training cost.

const WHISKER = { height: 22, edge: 10 };
const CLIP = [-0.5, 1.5];

// Where scores are drawn: all of them, but not so far out that the rest is squeezed together.
function scoreRange(suite) {
  const seen = suite.overall.map((row) => row.score).filter(known)
    .flatMap(({ value, low, high }) => [value, low, high]);
  return span([0, 1, ...seen].filter((value) => value !== null), CLIP);
}

function scoreScale() {
  const range = scoreRange(now.suite);
  const width = innerWidth < 700 ? 190 : 290;
  const scale = linear(...range, WHISKER.edge, width - WHISKER.edge);
  const clipped = (value) => scale(Math.min(Math.max(value, range[0]), range[1]));
  return { range, width, scale, clipped };
}

function scoreAxis() {
  const { range, width, scale } = scoreScale();
  const places = ticks(...range, 4);
  const text = tickText(places);
  return s("svg", { class: "scale", width, height: 14, "aria-hidden": true },
    places.map((place) => s("text", { x: scale(place), y: 11, class: "middle" }, text(place))));
}

function scoreWhisker(row) {
  const { range, width, scale, clipped } = scoreScale();
  const { value, low, high } = row.score;
  const middle = WHISKER.height / 2;
  const colour = looks.get(row.name).colour;
  const rules = [0, 1].map((place) => s("line", { x1: scale(place), x2: scale(place), y1: -8, y2: WHISKER.height + 8, class: "event" }));
  const beyond = value < range[0] ? "◂" : value > range[1] ? "▸" : "";
  return s("svg", { class: "inline", width, height: WHISKER.height, "aria-hidden": true }, rules,
    low === null ? null : s("line", { x1: clipped(low), x2: clipped(high), y1: middle, y2: middle, stroke: colour, class: "whisker strong" }),
    beyond ? s("text", { x: clipped(value), y: middle + 5, class: "middle", style: `fill:${colour}` }, beyond)
      : dot(row.name, clipped(value), middle, { size: 0.85 }));
}

function rankingRows() {
  const wanted = (now.text || "").toLowerCase();
  return now.suite.overall.map((row) => ({ ...row, name: row.method }))
    .filter((row) => (!now.family || row.family === now.family) && row.name.toLowerCase().includes(wanted));
}

const RANKING = [
  nameColumn(),
  {
    key: "score", heading: "score", get below() { return scoreAxis(); },
    value: (row) => (known(row.score) ? row.score.value : null),
    cell: (row) => (known(row.score) ? scoreWhisker(row) : h("span", { class: "none" }, "no score")),
  },
  intervalColumn("mean", "mean", (row) => row.score, 2),
  intervalColumn("iqm", "IQM", (row) => row.iqm, 2),
  intervalColumn("median", "median", (row) => row.median, 2),
  { key: "rank", heading: "mean rank", ascending: true, value: (row) => row.rank, cell: (row) => number(row.rank, 1) },
  { key: "family", heading: "family", text: true, value: (row) => row.family, cell: (row) => row.family },
  { key: "scenarios", heading: "scenarios", value: (row) => row.scenarios, cell: (row) => String(row.scenarios) },
  { key: "cpu", heading: "training, CPU", ascending: true, value: (row) => row.cpu_seconds, cell: (row) => duration(row.cpu_seconds) },
];

const level = () => percent(now.suite.level);

view(["sort", "dir", "family", "text"], () => {
  const rows = rankingRows();
  const all = now.suite.overall.length;
  $("ranking-count").textContent = `${rows.length} of ${plural(all, "method")}`;
  const yardsticks = [...new Set(now.suite.scenarios.map((one) => `${one.baseline} is 0 and ${one.reference} is 1`))];
  fill($("ranking-table"), h("figure", {},
    table("Ranking", RANKING, rows, { sort: "sort", direction: "dir", first: "score" }),
    caption(`Score: CTR on a scale where ${yardsticks.join(", or ")}; mean over the scenarios that a method took part in and in which the two differ beyond doubt, of ${now.suite.scenarios.length}. `
      + `IQM: interquartile mean over runs. Mean rank: by CTR. Lines and small numbers: ${level()} bootstrap intervals. Arrows: beyond the axis. `
      + "Training is counted in CPU time, mean over trainings.")));
});

view([], () => {
  const ranked = now.suite.overall.filter((row) => known(row.score));
  const said = ranked.slice(0, 1).map((row) => `Highest: ${row.method}, ${withBounds(row.score, 2)}.`);
  const meta = ranked.find((row) => row.family === "meta");
  const other = ranked.find((row) => !["meta", "reference"].includes(row.family));
  if (meta) said.push(`Best meta-learner: ${meta.method}, ${withBounds(meta.score, 2)}.`);
  if (other) said.push(`Best of the others that are no reference: ${other.method}, ${withBounds(other.score, 2)}.`);
  $("ranking-words").textContent = said.join(" ");
});

view(["methods"], () => {
  const { at, methods } = now.suite.profiles;
  const series = now.methods.filter((name) => methods[name]).map((name) => ({ name, at, curve: methods[name] }));
  fill($("profiles-figure"), lineFigure({
    label: "Performance profiles", series,
    x: { label: "score τ", one: "score" }, y: { label: "share of runs above τ", range: [0, 1] },
    marked: [{ at: 1, text: "reference" }].filter((mark) => mark.at >= at[0] && mark.at <= at.at(-1)),
    words: `Share of runs (one training of a method, met by one part of a scenario’s users) whose score is above τ. A curve further right is better; where two cross, one is safer and the other reaches higher. ${now.suite.scenarios.length} scenarios, ${level()} bootstrap intervals.`,
    column: { heading: "score above", decimals: 2 },
  }));
});

const UNTRAINED = 96;

view(["methods"], () => {
  const rows = now.suite.overall.filter((row) => known(row.score));
  const trained = rows.filter((row) => row.cpu_seconds > 0).map((row) => row.cpu_seconds);
  const [least, most] = trained.length ? [Math.min(...trained) / 1.6, Math.max(...trained) * 1.6] : [1, 3600];
  const points = rows.map((row) => ({
    name: row.method, x: { value: row.cpu_seconds || least, low: null, high: null }, y: row.score,
    across: row.cpu_seconds > 0 ? undefined : 46 + UNTRAINED * spread(rows, row),
    named: now.methods.includes(row.method),
    lines: [row.method, `score ${withBounds(row.score, 2)}`, `training ${duration(row.cpu_seconds)}`],
  }));
  const round = [1, 10, 60, 600, 3600, 36000, 360000].filter((place) => place > least && place < most);
  fill($("cost-figure"), scatterFigure({
    label: "Training cost and score", points,
    x: {
      label: "CPU time of one training (logarithmic)", logarithmic: true, range: [least, most], indent: UNTRAINED,
      ticks: round, text: duration, before: "no training",
    },
    y: { label: "score", range: scoreRange(now.suite) },
    words: `What a training costs against the score it reaches, ${plural(rows.length, "method")}; at the left those that are not trained. Bars: ${level()} bootstrap intervals of the score. The chosen methods are named; hollow marks lie beyond the axis.`,
    numbers: () => table("Numbers: training cost and score", [
      nameColumn(), intervalColumn("mean", "score", (row) => row.score, 2), RANKING.at(-1),
    ], rows.map((row) => ({ ...row, name: row.method }))),
  }));
});

// Where in the band of the untrained a method stands, so that they do not hide each other.
function spread(rows, row) {
  const untrained = rows.filter((one) => !(one.cpu_seconds > 0));
  return 0.12 + 0.7 * (untrained.indexOf(row) / Math.max(1, untrained.length - 1));
}
