// One scenario: its question, the table of its metrics, adaptation and survival.

const labelOf = (metric) => DATA.labels[metric] || { label: metric, decimals: 3 };
const METRIC_ORDER = Object.keys(DATA.labels);
const LOWER_IS_BETTER = new Set(["regret", "requests-to-plateau", "return-gap", "recovery", "exposure-gini"]);
const users = () => plural(now.scenario.users, "user");

function facts(box, pairs) {
  box.replaceChildren(...pairs.filter(([, text]) => text).map(([name, text]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, text))));
}

view(["scenario"], () => {
  const one = now.scenario;
  $("detail-title").textContent = `Scenario: ${one.name}`;
  $("scenario-question").textContent = one.question;
  facts($("scenario-facts"), [
    ["users met", `${count(one.users)} of ${one.population}, ${one.split}`],
    ["trained on", one.trained_on],
    ["requests", `up to ${one.requests}, ${plural(one.slate, "item")} each`],
    ["abrupt change", one.jump ? `of every user’s taste after request ${one.jump}` : ""],
    ["score 0 and 1", `${one.baseline} and ${one.reference}`],
  ]);
});

function scoreColumns() {
  const measured = METRIC_ORDER.filter((name) => now.scenario.methods.some((row) => known(row.metrics[name])));
  return [
    { ...nameColumn(), cell: (row) => [nameColumn().cell(row), ...failures(row)] },
    intervalColumn("score", "score", (row) => row.score, 2),
    ...measured.map((name) => intervalColumn(name, labelOf(name).label, (row) => row.metrics[name], labelOf(name).decimals, { ascending: LOWER_IS_BETTER.has(name) })),
    { key: "runs", heading: "runs", value: (row) => row.runs, cell: (row) => String(row.runs) },
    { key: "cpu", heading: "training, CPU", ascending: true, value: (row) => row.cost.cpu_seconds, cell: (row) => duration(row.cost.cpu_seconds) },
    { key: "steps", heading: "user-steps", ascending: true, value: (row) => row.cost.user_steps, cell: (row) => (row.cost.user_steps ? count(row.cost.user_steps) : "none") },
  ];
}

const failures = (row) =>
  (row.failed.length ? [h("span", { class: "badge" }, `${row.failed.length} failed`)] : []);

view(["scenario", "by", "way"], () => {
  const one = now.scenario;
  const absent = now.suite.methods.map((method) => method.name).filter((name) => !rowOf(one, name));
  const failed = one.methods.flatMap((row) => row.failed.map(({ seed, error }) => `${row.name}, seed ${seed}: ${error}`));
  fill($("scores-table"), h("figure", {},
    table(`Scores in ${one.name}`, scoreColumns(), one.methods, { sort: "by", direction: "way", first: "score" }),
    caption(`${plural(one.methods.length, "method")} on the same ${users()}; small numbers: ${level()} bootstrap intervals over users and trainings. `
      + "CTR: mean over users of clicks / impressions in a trial. Day k: share of users active on or after day k (Kaplan-Meier).",
    absent.length ? ` Not in this scenario: ${absent.join(", ")}.` : "")),
  failed.length ? h("div", { class: "notice" }, h("p", {}, "Trainings or evaluations that failed, and are left out:"), h("ul", {}, failed.map((text) => h("li", {}, text)))) : null,
    one.unsuited?.length ? h("details", {}, h("summary", {}, `${one.unsuited.length} methods cannot take part here`), h("ul", {}, one.unsuited.map(({ method, reason }) => h("li", {}, `${method}: ${reason}`)))) : null);
});

// The chosen methods' curves that are known at some point.
function curvesOf(part, at) {
  return now.methods.map((name) => rowOf(now.scenario, name))
    .filter((row) => row && row[part] && Array.isArray(row[part].value) && row[part].value.some((value) => value !== null))
    .map((row) => ({ name: row.name, at: at(row), curve: row[part] }));
}

view(["scenario", "methods"], () => {
  const one = now.scenario;
  const series = curvesOf("adaptation", (row) => row.adaptation.value.map((_, place) => place + 1));
  fill($("adaptation-figure"), lineFigure({
    label: `Adaptation in ${one.name}`, series,
    x: { label: "request of the trial", one: "request" }, y: { label: "click-through rate", limits: [0, 1] },
    marked: one.jump ? [{ at: one.jump, text: "tastes change" }] : [],
    words: `CTR by request, running mean over ${one.window}, among the users who are still there; ${users()} at the start. Ribbons: ${level()} bootstrap intervals.${one.jump ? ` Every user’s taste changes abruptly after request ${one.jump}.` : ""} Press a name to take it out.`,
    column: { heading: "request" },
  }));
});

view(["scenario", "methods"], () => {
  const one = now.scenario;
  fill($("survival-figure"), lineFigure({
    label: `Survival in ${one.name}`, series: curvesOf("survival", () => one.days),
    x: { label: "days since first contact", one: "day" }, y: { label: "share of users still active", limits: [0, 1] },
    words: `Share of ${users()} active on or after each day (Kaplan-Meier: trials cut short are censored). Ribbons: ${level()} bootstrap intervals.`,
    column: { heading: "day" },
  }));
});
