// Tables that scroll in a box of their own and can be sorted.

// Columns have a key, a heading, whether they are text, a value to sort by and a cell to show;
// `chosen` names the choices that hold the column and direction, or is left out.
function table(label, columns, rows, chosen) {
  const sorting = chosen && sortingBy(columns, chosen);
  const body = (chosen ? inOrder(rows, sorting) : rows).map((row) =>
    h("tr", { "data-name": row.name }, columns.map((column, place) =>
      h(place ? "td" : "th", {
        scope: place ? null : "row", class: column.text ? "text" : null, "data-column": column.key,
      }, column.cell(row)))));
  return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": label, "data-key": label },
    h("table", {}, h("caption", { class: "unseen" }, label),
      h("thead", {}, h("tr", {}, columns.map((column) => heading(column, chosen, sorting)))),
      h("tbody", {}, body)));
}

const usually = (column) => (column.text || column.ascending ? "ascending" : "descending");

function sortingBy(columns, chosen) {
  const found = (key) => columns.find((column) => column.key === key);
  const column = found(now[chosen.sort]) || found(chosen.first);
  const wanted = now[chosen.direction];
  return { column, direction: ["ascending", "descending"].includes(wanted) ? wanted : usually(column) };
}

function inOrder(rows, { column, direction }) {
  const sign = direction === "ascending" ? 1 : -1;
  const missing = (value) => value === null || value === undefined;
  return [...rows].sort((one, other) => {
    const [x, y] = [column.value(one), column.value(other)];
    // What was not measured comes last, whichever way round.
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

function heading(column, chosen, sorting) {
  const plain = { scope: "col", class: column.text ? "text" : null };
  if (!chosen || !column.value) return h("th", plain, column.heading);
  const active = sorting.column === column;
  const turned = sorting.direction === "ascending" ? "descending" : "ascending";
  const next = active ? turned : usually(column);
  const arrow = sorting.direction === "ascending" ? "▲" : "▼";
  return h("th", { ...plain, "aria-sort": active ? sorting.direction : null },
    h("button", {
      type: "button", class: "sort", "data-key": `${chosen.sort}-${column.key}`,
      onclick: () => update({ [chosen.sort]: column.key, [chosen.direction]: next }),
    }, column.heading, h("span", { class: "arrow", "aria-hidden": true }, active ? arrow : "")),
    column.below);
}

// Cells and columns that several tables share.

const nameColumn = (heading = "method") => ({
  key: "name", heading, text: true, value: (row) => row.name,
  cell: (row) => h("span", { class: "name" }, looks.has(row.name) ? swatch(row.name) : null, row.name),
});

function intervalCell(interval, decimals, sign = "") {
  if (!known(interval)) return h("span", { class: "none" }, "–");
  const range = bounds(interval, decimals, sign);
  return [number(interval.value, decimals, sign), range && h("small", { class: "range" }, range)];
}

const intervalColumn = (key, heading, find, decimals = 3, more = {}) => ({
  key, heading, value: (row) => (known(find(row)) ? find(row).value : null),
  cell: (row) => intervalCell(find(row), decimals, more.sign), ...more,
});
