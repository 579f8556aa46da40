// What the page shows: the numbers, what was asked for in the address, and what that comes to.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SUITES = DATA.suites;
const LISTS = new Set(["methods"]);

// Choices made so far, by name; a choice that was not made is absent and falls to its default.
let wish = {};
// The choices resolved against the data: objects, never names of what is not there.
let now = {};
const views = [];

const known = (interval) => Boolean(interval) && interval.value !== null;
const rowOf = (scenario, name) => scenario.methods.find((row) => row.name === name);
const overallOf = (suite, name) => suite.overall.find((row) => row.method === name);
// Those that take part for comparison alone: some know the users' hidden state, others nothing.
const isReference = (name) => familyOf(now.suite, name) === "reference";
const percent = (share) => `${Number((share * 100).toPrecision(4))}%`;

// Registers what to draw anew when one of some choices changes.
function view(needs, draw) {
  views.push({ needs: new Set(["suite", ...needs]), draw });
}

function readAddress() {
  const read = {};
  for (const pair of location.hash.slice(1).split("&")) {
    const place = pair.indexOf("=");
    if (place < 0) continue;
    const [name, text] = [pair.slice(0, place), pair.slice(place + 1)];
    read[name] = LISTS.has(name) ? text.split(",").map(decoded) : decoded(text);
  }
  return read;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function writeAddress() {
  const pairs = Object.entries(wish).map(([name, value]) =>
    `${name}=${LISTS.has(name) ? value.map(encodeURIComponent).join(",") : encodeURIComponent(value)}`);
  history.replaceState(null, "", `#${pairs.join("&")}`);
}

// Changes choices; undefined takes one back. Draws only what depends on them.
function update(changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === "") delete wish[name];
    else wish[name] = value;
  }
  writeAddress();
  settle();
  draw(Object.keys(changes));
}

function draw(changed) {
  for (const one of views) {
    if (!changed || changed.some((name) => one.needs.has(name))) one.draw();
  }
}

function settle() {
  const suite = SUITES.find((one) => one.suite === wish.suite) || SUITES[0];
  const names = suite.methods.map((method) => method.name);
  const scenario = suite.scenarios.find((one) => one.name === wish.scenario) || suite.scenarios[0];
  const ranked = suite.overall.map((row) => row.method);
  const first = ranked.find((name) => familyOf(suite, name) === "meta") || ranked[0] || names[0];
  const a = names.includes(wish.a) ? wish.a : first;
  const b = names.includes(wish.b) ? wish.b : rivalOf(suite, a);
  const trial = scenario.trials.find((one) => String(one.user) === wish.user) || scenario.trials[0];
  const tried = trial ? Object.keys(trial.methods) : [];
  const shown = [wish.shown, a].find((name) => tried.includes(name)) || tried[0];
  const methods = wish.methods ? names.filter((name) => wish.methods.includes(name)) : usual(suite);
  now = { ...wish, suite, scenario, methods, a, b, trial, shown };
}

function familyOf(suite, name) {
  const method = suite.methods.find((one) => one.name === name);
  return method ? method.family : "";
}

// The best of another family that is no yardstick, or else whoever ranks highest.
function rivalOf(suite, name) {
  const others = suite.overall.map((row) => row.method).filter((other) => other !== name);
  const family = familyOf(suite, name);
  const rival = (other) => ![family, "reference"].includes(familyOf(suite, other));
  return others.find(rival) || others[0] || name;
}

// The yardsticks and the best of each family: few enough to be told apart.
function usual(suite) {
  const yardsticks = suite.scenarios.flatMap((one) => [one.reference, one.baseline]);
  const best = suite.overall.filter((row, place) =>
    suite.overall.findIndex((other) => other.family === row.family) === place);
  const wanted = new Set([...yardsticks, ...best.map((row) => row.method)]);
  return suite.methods.map((method) => method.name).filter((name) => wanted.has(name));
}

// Colour, marker and dash of a method are the same in every figure and suite.
const COLOURS = 8;
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "1 3"];
const MARKERS = [
  "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
  "M-3.6,-3.6h7.2v7.2h-7.2z",
  "M0,-4.8L4.4,3.4H-4.4z",
  "M0,-5L5,0L0,5L-5,0z",
  "M0,4.8L4.4,-3.4H-4.4z",
  "M-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
  "M0,-4.8L4.6,-1.5L2.8,3.9H-2.8L-4.6,-1.5z",
];
const looks = new Map();
for (const name of [...SUITES.flatMap(usual),
  ...SUITES.flatMap((suite) => suite.overall.map((row) => row.method)),
  ...SUITES.flatMap((suite) => suite.methods.map((method) => method.name))]) {
  if (!looks.has(name)) {
    const place = looks.size;
    looks.set(name, {
      colour: `var(--method-${place % COLOURS})`,
      dash: DASHES[Math.floor(place / COLOURS) % DASHES.length],
      marker: MARKERS[place % MARKERS.length],
    });
  }
}
