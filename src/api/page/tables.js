"use strict";

// Tables: rows that are changed in place, columns that sort, and no more rows
// than somebody wants to see.

const ROWS = 10;
const MORE_ROWS = 40;

// What was chosen of each table: its rows, the column that it is sorted by.
const views = new Map();

function viewOf(id) {
  const view = views.get(id) ?? { rows: ROWS, by: null, down: true };
  views.set(id, view);
  return view;
}

// Texts first go up, figures down.
function compare(one, other) {
  return typeof one === "string" || typeof other === "string"
    ? String(other).localeCompare(String(one)) : (one ?? -1) - (other ?? -1);
}

function sorted(items, view, values) {
  if (view.by === null) {
    return items;
  }
  const value = values[view.by];
  const sign = view.down ? -1 : 1;
  return [...items].sort((one, other) =>
    sign * compare(value(one), value(other)));
}

// Turns the names of columns that sort into buttons; `draws` shows the table.
function makeSortable(id, draws) {
  const heads = [...byId(id).tHead.rows[0].cells];
  for (const head of heads.filter((one) => one.dataset.sort)) {
    const sort = () => {
      const view = viewOf(id);
      view.down = view.by === head.dataset.sort ? !view.down : true;
      view.by = head.dataset.sort;
      for (const other of heads) {
        other.removeAttribute("aria-sort");
      }
      head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      draws();
    };
    head.replaceChildren(make("button", { type: "button", class: "sort",
      onclick: sort }, head.textContent.trim()));
  }
}

// The button below a table shows more rows of it.
function makeMore(id, draws) {
  byId(`${id}-more`).addEventListener("click", () => {
    viewOf(id).rows += MORE_ROWS;
    draws();
  });
}

// The first rows, and the button for those that are left.
function cutToView(id, items) {
  const { rows } = viewOf(id);
  const more = byId(`${id}-more`);
  const left = items.length - rows;
  if (more) {
    more.hidden = left <= 0;
    setText(more, `Show ${number(Math.min(left, MORE_ROWS))} more`);
  }
  return more ? items.slice(0, rows) : items;
}

// Fills a table: columns are functions that make a cell's text or element of
// an item; `values` has what its columns sort by.
function fillTable(id, items, keyOf, columns, values = {}) {
  const table = byId(id);
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map((cell) =>
    cell.querySelector(".hidden") ? "" : cell.textContent.trim());
  const classes = heads.map((cell) => cell.className);

  arrange(table.tBodies[0], cutToView(id, sorted(items, viewOf(id), values)),
    keyOf, () => {
      const row = make("tr");
      columns.forEach((column, i) => {
        const cell = make("td", { "data-name": names[i] });
        if (classes[i]) {
          cell.className = classes[i];
        }
        row.append(cell);
      });
      return row;
    }, (row, item) => {
      row.item = item;
      columns.forEach((column, i) => column(row.cells[i], item, row));
    });
  table.hidden = items.length === 0;
}

// ------------------------------------------------------------------- filter

const words = () => byId("filter").value.toLowerCase().split(/\s+/)
  .filter((word) => word !== "");

// Those that have all the words of the filter in one of their texts.
function filtered(items, textsOf) {
  const wanted = words();
  return items.filter((item) => {
    const texts = textsOf(item).map((text) => String(text ?? "").toLowerCase());
    return wanted.every((word) => texts.some((text) => text.includes(word)));
  });
}

// Says why a list is empty: there is nothing, or nothing of it was asked for.
function showNone(id, items, shown) {
  const none = byId(`${id}-none`);
  none.dataset.text ??= none.textContent;
  none.hidden = shown.length > 0;
  setText(none, items.length > 0 ? "The filter leaves none." : none.dataset.text);
}
