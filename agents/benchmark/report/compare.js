// Two methods: who is better, by how much, how sure.

// The comparison of a with b in a scenario, whichever way round it is stored; null if there is none.
function comparisonOf(scenario, a, b) {
  const straight = scenario.comparisons.find((one) => one.a === a && one.b === b);
  if (straight) return straight;
  const turned = scenario.comparisons.find((one) => one.a === b && one.b === a);
  if (!turned) return null;
  return { ...turned, a, b, difference: negated(turned.difference), improvement: complement(turned.improvement) };
}

const minus = (value, from = 0) => (value === null ? null : from - value);
const negated = ({ value, low, high }) => ({ value: minus(value), low: minus(high), high: minus(low) });
const complement = ({ value, low, high }) => ({ value: minus(value, 1), low: minus(high, 1), high: minus(low, 1) });

// Who is better: "a", "b", "perhaps" (until corrected for the many pairs), "equal", or "none".
function verdict(one, alpha) {
  if (!one || !known(one.difference) || one.adjusted === null) return "none";
  const { value, low, high } = one.difference;
  if (one.adjusted < alpha) return value > 0 ? "a" : "b";
  return low > 0 || high < 0 ? "perhaps" : "equal";
}

// Mean difference over scenarios. Its bounds are the means of theirs: right if scenarios go up and
// down together, as they may where they share users, and too wide if not.
function meanDifference(found) {
  const mean = (part) => found.reduce((sum, one) => sum + one.difference[part], 0) / found.length;
  return { value: mean("value"), low: mean("low"), high: mean("high") };
}

function judged() {
  // Rounded, since 1 - 0.95 is a little more than 0.05.
  const alpha = Number((1 - now.suite.level).toFixed(9));
  return now.suite.scenarios.map((scenario) => {
    const found = comparisonOf(scenario, now.a, now.b);
    const [one, other] = [now.a, now.b].map((name) => rowOf(scenario, name));
    return { name: scenario.name, scenario, found, verdict: verdict(found, alpha), one, other };
  });
}

function inWords(row) {
  const { difference } = row.found || {};
  const [better, worse] = difference && difference.value >= 0 ? [now.a, now.b] : [now.b, now.a];
  const words = {
    a: `${better} is better`, b: `${better} is better`,
    perhaps: `perhaps ${better}; not sure once corrected for all pairs`,
    equal: "cannot be told apart", none: "not compared here",
  };
  const ctr = rowOf(row.scenario, worse)?.metrics.ctr;
  const sure = ["a", "b"].includes(row.verdict) && known(ctr) && ctr.value > 0;
  return words[row.verdict] + (sure ? `, by ${(Math.abs(difference.value) / ctr.value * 100).toFixed(1)}% of the other’s CTR` : "");
}

function overallWords(rows) {
  const tally = (kind) => rows.filter((row) => row.verdict === kind).length;
  const compared = rows.length - tally("none");
  if (!compared) return [`${now.a} and ${now.b} did not meet the same users in any scenario.`];
  const untold = tally("perhaps") + tally("equal");
  const said = [`${now.a} is better in ${tally("a")} of ${plural(compared, "scenario")}, ${now.b} in ${tally("b")}; in ${untold} they cannot be told apart (adjusted p ≥ ${Number((1 - now.suite.level).toPrecision(3))}).`];
  const mean = meanDifference(rows.filter((row) => row.verdict !== "none").map((row) => row.found));
  said.push(`On average ${now.a}’s CTR is ${number(Math.abs(mean.value))} ${mean.value < 0 ? "lower" : "higher"}: ${withBounds(mean, 3, "+")}.`);
  const scores = [now.a, now.b].map((name) => overallOf(now.suite, name)).filter((row) => row && known(row.score));
  if (scores.length === 2) said.push(`Overall score: ${scores.map((row) => `${row.method} ${withBounds(row.score, 2)}`).join(", ")}.`);
  return said;
}

view(["a", "b"], () => {
  const names = now.suite.methods.map((method) => [method.name]);
  fillSelect($("a"), names, now.a);
  fillSelect($("b"), names, now.b);
  if (now.a === now.b) {
    fill($("compare-words"), h("p", {}, "A and B are the same method: choose another."));
    fill($("compare-figure"));
    fill($("compare-table"));
    return;
  }
  const rows = judged();
  const [first, ...more] = overallWords(rows);
  fill($("compare-words"), h("p", {}, h("strong", {}, first), " ", more.join(" ")));
  const met = rows.filter((row) => row.verdict !== "none");
  const seen = met.flatMap(({ found }) => [found.difference.low, found.difference.high]);
  fill($("compare-figure"), met.length ? rowsFigure({
    label: `${now.a} minus ${now.b}`,
    rows: met.map((row) => ({ label: row.name, note: plural(row.scenario.users, "user"), items: [{
      name: row.found.difference.value < 0 ? now.b : now.a, interval: row.found.difference,
      lines: [row.name, `${now.a} minus ${now.b}: ${withBounds(row.found.difference, 3, "+")}`, inWords(row)],
    }] })),
    x: { label: `CTR of A minus CTR of B`, range: span([0, ...seen]), zero: 0 },
    words: `Paired difference on the same users with the same luck, ${level()} bootstrap intervals. Right of the line A is ahead, left of it B; the mark is that of the one ahead.`,
    numbers: null,
  }) : null);
  fill($("compare-table"), table(`${now.a} against ${now.b}`, COMPARISON, rows));
});

const found = (part) => (row) => (row.found ? row.found[part] : null);
const COMPARISON = [
  { key: "name", heading: "scenario", cell: (row) => row.name },
  { key: "words", heading: "in words", text: true, cell: (row) => h("span", { class: row.verdict === "a" || row.verdict === "b" ? "sure" : "" }, inWords(row)) },
  intervalColumn("difference", "A minus B, CTR", found("difference"), 3, { sign: "+" }),
  intervalColumn("improvement", "a user gets more from A", found("improvement"), 2),
  { key: "adjusted", heading: "adjusted p", cell: (row) => probability(row.found && row.found.adjusted) },
  intervalColumn("one", "CTR of A", (row) => row.one && row.one.metrics.ctr),
  intervalColumn("other", "CTR of B", (row) => row.other && row.other.metrics.ctr),
];
