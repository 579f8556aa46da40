// Elements, numbers as text, and the tooltip.

const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

// An element with attributes (on… for listeners) and children; text is always text, never markup.
function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
const h = (tag, attributes, ...children) =>
  make(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) =>
  make(document.createElementNS(SVG, tag), attributes, children);

// Fills a box anew and gives the focus back to the control that had it.
function fill(box, ...children) {
  const focused = box.contains(document.activeElement) && document.activeElement.dataset.key;
  box.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (!focused) return;
  const same = box.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  (same || box.querySelector("button[data-key]"))?.focus();
}

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text || value)));
  select.value = chosen;
}

function number(value, decimals = 3, sign = "") {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return text;
  return (value < 0 ? "−" : sign) + text;
}

function bounds(interval, decimals = 3, sign = "") {
  if (!known(interval) || interval.low === null || interval.low === interval.high) return "";
  const between = interval.low < 0 || sign ? " to " : "–";
  return number(interval.low, decimals, sign) + between + number(interval.high, decimals, sign);
}

function withBounds(interval, decimals = 3, sign = "") {
  const range = known(interval) ? bounds(interval, decimals, sign) : "";
  return number(interval ? interval.value : null, decimals, sign) + (range && ` (${range})`);
}

function probability(p) {
  if (p === null || p === undefined) return "–";
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

const count = (value) => Math.round(value).toLocaleString("en-GB");

function duration(seconds) {
  if (!seconds) return "none";
  const [unit, name] = seconds < 60 ? [1, "s"] : seconds < 3600 ? [60, "min"] : [3600, "h"];
  return `${number(seconds / unit, seconds / unit < 10 && seconds % unit ? 1 : 0)} ${name}`;
}

const short = (name, longest = 26) =>
  name.length > longest ? `${name.slice(0, longest - 1)}…` : name;

function plural(amount, noun) {
  return `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`;
}

// The mark of a method, as in the figures.
function swatch(name) {
  const look = looks.get(name);
  return s("svg", { class: "swatch", width: 26, height: 12, viewBox: "-13 -6 26 12", "aria-hidden": true },
    s("path", { d: "M-13,0H13", stroke: look.colour, "stroke-dasharray": look.dash, "stroke-width": 2 }),
    s("path", { d: look.marker, fill: look.colour }));
}

const caption = (...text) => h("figcaption", {}, ...text);

// A figure: what is drawn, the caption, and its numbers, which are made when first looked at.
function figure(drawing, words, numbers) {
  const details = h("details", { class: "numbers" }, h("summary", {}, "Numbers"));
  const build = () => {
    if (details.open && details.children.length === 1) details.append(numbers());
  };
  details.addEventListener("toggle", build);
  return h("figure", {}, drawing, caption(words), numbers && details);
}

const tip = $("tip");

// Shows the tooltip beside a point of the window.
function showTip(lines, x, y) {
  tip.replaceChildren(...lines.map((line) =>
    typeof line === "string" ? h("div", {}, line) : line));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width < innerWidth ? x + 14 : Math.max(4, x - 14 - width);
  const top = Math.min(Math.max(4, y - height / 2), Math.max(4, innerHeight - height - 4));
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tip.hidden = true;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
addEventListener("scroll", hideTip, { passive: true });

// Marks that show a tooltip under the pointer and with the focus. One of them takes the tab key;
// the arrows go on from it.
function marks(nodes) {
  nodes.forEach(({ node, lines, name }, place) => {
    const show = () => {
      const at = node.getBoundingClientRect();
      showTip(lines, at.x + at.width / 2, at.y + at.height / 2);
    };
    make(node, {
      class: `${node.getAttribute("class") || ""} mark`, role: "img", "data-name": name,
      tabindex: place ? -1 : 0, "aria-label": lines.join("; "),
      onpointerenter: show, onpointerleave: hideTip, onfocus: show, onblur: hideTip,
      onkeydown: (event) => walk(event, nodes, place),
    }, []);
  });
}

function walk(event, nodes, place) {
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  const next = nodes[(place + steps[event.key] + nodes.length) % nodes.length].node;
  nodes.forEach(({ node }) => node.setAttribute("tabindex", node === next ? 0 : -1));
  next.focus();
}
