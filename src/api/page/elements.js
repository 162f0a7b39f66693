"use strict";

// Elements and figures: lists that are changed in place, bars, times.
// Nothing that the server says is ever taken for HTML: all of it goes through
// textContent.

const byId = (id) => document.getElementById(id);

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") {
      element.className = value;
    } else if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Makes the children of `parent` those of `items`, by key: what is there
// already is changed in place, so that nobody loses the focus.
function arrange(parent, items, keyOf, create, update) {
  const focused = document.activeElement;
  const before = new Map();
  for (const child of parent.children) {
    before.set(child.dataset.key, child);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(child, place);
    }
  }
  for (const child of before.values()) {
    child.remove();
  }
  // What is moved loses it.
  if (parent.contains(focused) && focused !== document.activeElement) {
    focused.focus();
  }
}

const textCell = (text) => (cell, item) => setText(cell, text(item));

// Buttons for what their row holds when they are pressed.
const actionsCell = (...actions) => (cell, item, row) => {
  cell.className = "actions";
  if (cell.childElementCount === 0) {
    for (const [label, does, writes] of actions) {
      const button = make("button", { type: "button",
        onclick: () => does(row.item) }, label);
      button.dataset.writes = writes ? "1" : "";
      cell.append(button, " ");
    }
  }
  for (const button of cell.querySelectorAll("button")) {
    button.hidden = button.dataset.writes === "1" && !known.state?.write;
    button.setAttribute("aria-label",
      `${button.textContent}: ${nameOf(row.item)}`);
  }
};

// "label=" says who it is; the id is in the logs.
const idOf = (item) => item.label ? `${item.label} ${item.key_id}` : item.key_id;

function nameOf(item) {
  return item.key_id ? `key ${idOf(item)} of ${item.policy ?? item.zone}`
    : item.policy ?? item.zone;
}

// From this share of its quota on a key is said to be near it.
const NEAR = 0.8;

// A bar, and beside it how much of how much: amber before it is full.
function fillCell(share) {
  return (cell, item) => {
    const [part, whole] = share(item);
    if (cell.childElementCount === 0) {
      cell.append(make("span", { class: "fill" },
        make("span", { class: "track" }, make("span", { class: "bar" })),
        make("span", { class: "figure" })));
    }
    const fill = cell.firstElementChild;
    const width = whole > 0 ? Math.min(100, 100 * part / whole) : 0;
    fill.classList.toggle("near", whole > 0 && part >= NEAR * whole
      && part < whole);
    fill.classList.toggle("full", whole > 0 && part >= whole);
    fill.querySelector(".bar").style.width = `${width}%`;
    setText(fill.querySelector(".figure"), whole === null ? "unknown"
      : `${number(part)} of ${number(whole)}`);
  };
}

// ----------------------------------------------------------------- figures

// As the browser's user writes them.
const integers = new Intl.NumberFormat();
const tenths = new Intl.NumberFormat(undefined,
  { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat(undefined,
  { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percents = new Intl.NumberFormat(undefined, { style: "percent" });
const finePercents = new Intl.NumberFormat(undefined,
  { style: "percent", maximumFractionDigits: 3 });

const number = (value) => integers.format(value);

const percent = (share) => percents.format(share);

// "1 key", "14 keys"
const count = (n, thing) => `${number(n)} ${thing}${n === 1 ? "" : "s"}`;

function rate(value) {
  return value === 0 ? "0" : value < 10 ? tenths.format(value)
    : number(Math.round(value));
}

function duration(ms) {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) {
    return `${seconds} s`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) {
    return `${minutes} min`;
  }
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

const time = (unix) => new Date(unix * 1000).toLocaleString([], {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
  second: "2-digit" });

// Without the day, if it is today.
const since = (unix) => new Date(unix * 1000).toDateString()
  === new Date().toDateString() ? new Date(unix * 1000).toLocaleTimeString([],
    { hour: "2-digit", minute: "2-digit" }) : time(unix);

// How long ago, by the server's clock.
function ago(unix) {
  const ms = known.state.now_ms - unix * 1000;
  return ms < 1500 ? "just now" : `${duration(ms)} ago`;
}
