// The controls, and the start.

const PARTS = [
  ["ranking", "Ranking"], ["compare", "Two methods"], ["profiles", "Profiles"], ["cost", "Cost"], ["scores", "Scores"],
  ["adaptation", "Adaptation"], ["survival", "Retention"], ["pareto", "Clicks against retention"], ["groups", "Groups"],
  ["predictions", "Predictions"], ["trial", "One user"],
];

const FAMILIES = {
  reference: "References", bandit: "Bandits", recommender: "Recommenders", "deep-rl": "Deep RL", meta: "Meta-learners", "plug-in": "Plug-ins",
};

function goTo(part) {
  const smooth = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  $(part)?.scrollIntoView({ behavior: smooth ? "smooth" : "auto" });
}

// Links keep the choices in the address: a part of the page is one choice more.
function jumps() {
  const link = ([part, text]) => h("li", {}, h("a", {
    href: `#at=${part}`,
    onclick: (event) => {
      event.preventDefault();
      update({ at: part });
      goTo(part);
    },
  }, text));
  $("contents").replaceChildren(...PARTS.map(link));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
}

view(["scenario"], () => {
  const { suite } = now;
  $("suite-title").textContent = suite.title || suite.suite;
  $("suite-question").textContent = suite.question;
  facts($("facts"), [
    ["suite", `${suite.suite}, ${suite.size}`], ["methods", count(suite.methods.length)], ["scenarios", count(suite.scenarios.length)],
    ["computed in", duration(suite.seconds)], ["intervals", `${level()}, ${count(suite.draws)} draws`],
  ]);
  $("suite-field").hidden = SUITES.length === 1;
  fillSelect($("suite"), SUITES.map((one) => [one.suite]), suite.suite);
  fillSelect($("scenario"), suite.scenarios.map((one) => [one.name]), now.scenario.name);
});

view(["family", "text"], () => {
  const families = [...new Set(now.suite.overall.map((row) => row.family))];
  fillSelect($("family"), [["", "all"], ...families.map((family) => [family, FAMILIES[family] || family])], now.family || "");
  if ($("text").value !== (now.text || "")) $("text").value = now.text || "";
});

view(["methods"], () => {
  $("picked").textContent = `${now.methods.length} of ${now.suite.methods.length}`;
  const action = (text, methods) => h("button", {
    type: "button", class: "quiet", "data-key": `pick-${text}`, onclick: () => update({ methods }),
  }, text);
  const families = [...new Set(now.suite.methods.map((method) => method.family))];
  fill($("picker-panel"),
    h("p", { class: "actions" }, action("Best of each family", undefined), action("All", now.suite.methods.map((one) => one.name)), action("None", [])),
    h("div", { class: "families" }, families.map((family) => h("fieldset", {}, h("legend", {}, FAMILIES[family] || family),
      now.suite.methods.filter((method) => method.family === family).map(({ name }) => choice(name))))));
});

function choice(name) {
  const toggle = (event) => {
    const others = now.methods.filter((one) => one !== name);
    update({ methods: event.target.checked ? [...others, name] : others });
  };
  return h("label", {},
    h("input", { type: "checkbox", value: name, checked: now.methods.includes(name), "data-key": `pick:${name}`, onchange: toggle }),
    swatch(name), h("span", {}, name));
}

view([], () => {
  const { suite } = now;
  fill($("about"),
    h("p", {}, `Every method meets the same simulated users, with the same luck, none of whom was trained or tuned on. Intervals are bootstrap percentiles (${level()}, ${count(suite.draws)} draws) over users and trainings. `
      + "Adjusted p: Holm’s correction over all pairs of a scenario."),
    h("p", {}, `driftrec ${suite.driftrec}${suite.machine ? `, on ${suite.machine}` : ""}. Made by:`), h("pre", { tabindex: 0, "aria-label": "Command" }, h("code", {}, suite.command)),
    h("details", { class: "numbers" }, h("summary", {}, "Settings of the methods"),
      table("Settings of the methods", [
        nameColumn(), { key: "family", heading: "family", text: true, cell: (row) => row.family },
        { key: "trains", heading: "trains", text: true, cell: (row) => (row.trains ? "yes" : "no") },
        { key: "settings", heading: "settings", text: true, cell: (row) => h("code", {}, JSON.stringify(row.settings)) },
      ], suite.methods)));
});

function isDark() {
  return now.theme ? now.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

view(["theme"], () => {
  const { theme } = now;
  if (["light", "dark"].includes(theme)) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", `${isDark() ? "Light" : "Dark"} theme`);
});

function controls() {
  const bind = (id, event, name = id) => $(id).addEventListener(event, () => update({ [name]: $(id).value }));
  $("suite").addEventListener("change", () => update({ suite: $("suite").value, scenario: undefined, user: undefined }));
  $("scenario").addEventListener("change", () => update({ scenario: $("scenario").value, user: undefined }));
  for (const id of ["family", "a", "b", "user", "shown"]) bind(id, "change");
  bind("text", "input");
  $("swap").addEventListener("click", () => update({ a: now.b, b: now.a }));
  $("theme").addEventListener("click", () => update({ theme: isDark() ? "light" : "dark" }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(["theme"]));
  document.addEventListener("click", (event) => {
    if (!$("picker").contains(event.target) && event.target.isConnected) $("picker").open = false;
  });
  $("picker").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $("picker").open = false;
    $("picker").querySelector("summary").focus();
  });
}

// Figures are drawn for a width: anew when it changes.
function followWidth() {
  let width = $("main").clientWidth;
  new ResizeObserver(() => {
    if ($("main").clientWidth === width) return;
    width = $("main").clientWidth;
    draw();
  }).observe($("main"));
}

function restore() {
  wish = readAddress();
  settle();
  draw();
  if (now.at) requestAnimationFrame(() => goTo(now.at));
}

addEventListener("hashchange", restore);
jumps();
controls();
restore();
followWidth();
