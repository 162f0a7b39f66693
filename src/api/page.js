"use strict";

// The page of ratelimit_api.  Asks the server for its state every two seconds
// and shows it; what is written is asked for first.  Nothing that the server
// says is ever taken for HTML: all of it goes through textContent.

const EVERY_MS = 2000;
const POINTS = 150; // five minutes
const TOP = 10;

// The location may have been asked for with or without a slash at its end.
const base = location.pathname.replace(/\/?$/, "/");

const byId = (id) => document.getElementById(id);

// What is known: the latest answers, and per policy the rates seen so far.
const known = { state: null, top: null, rates: new Map() };
let paused = false;
let answered = 0; // when the server last did
let timer = 0;

// ---------------------------------------------------------------- elements

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
}

// Fills a table: columns are functions that make a cell's text or element of
// an item; an element is made once, and told of later items by its update().
function fillTable(id, items, keyOf, columns) {
  const table = byId(id);
  const names = [...table.tHead.rows[0].cells].map((cell) =>
    cell.querySelector(".hidden") ? "" : cell.textContent.trim());
  const classes = [...table.tHead.rows[0].cells].map((cell) => cell.className);

  arrange(table.tBodies[0], items, keyOf, () => {
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
  const none = byId(`${id}-none`);
  if (none) {
    none.hidden = items.length !== 0;
  }
}

const textCell = (text) => (cell, item) => setText(cell, text(item));

// Buttons that speak of what their row holds when they are pressed.
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

function nameOf(item) {
  return item.key_id ? `key ${item.key_id} of ${item.policy ?? item.zone}`
    : item.policy ?? item.zone;
}

// A bar, and beside it how much of how much.
function fillCell(share) {
  return (cell, item) => {
    const [part, whole] = share(item);
    if (cell.childElementCount === 0) {
      cell.append(make("span", { class: "fill" },
        make("span", { class: "track" }, make("span", { class: "bar" })),
        make("span", { class: "figure" })));
    }
    const fill = cell.firstElementChild;
    const percent = whole > 0 ? Math.min(100, 100 * part / whole) : 0;
    fill.classList.toggle("full", whole > 0 && part >= whole);
    fill.querySelector(".bar").style.width = `${percent}%`;
    setText(fill.querySelector(".figure"), whole === null ? "unknown"
      : `${number(part)} of ${number(whole)}`);
  };
}

// ----------------------------------------------------------------- figures

const integers = new Intl.NumberFormat("en");

const number = (value) => integers.format(value);

function rate(value) {
  return value === 0 ? "0" : value < 10 ? value.toFixed(1)
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

// How long ago, by the server's clock.
function ago(unix) {
  const ms = known.state.now_ms - unix * 1000;
  return ms < 1500 ? "just now" : `${duration(ms)} ago`;
}

// ------------------------------------------------------------------ charts

// The next point of a policy: requests a second since the last answer.
function remember(policy, now_ms) {
  const name = `${policy.zone}/${policy.name}`;
  const series = known.rates.get(name) ?? { last: null, points: [] };
  known.rates.set(name, series);
  const counts = policy.requests;
  const last = series.last;
  series.last = { ms: now_ms, ...counts };
  // Another worker's clock may be a little behind; a restart begins anew.
  if (!last || now_ms <= last.ms) {
    return series;
  }
  if (counts.admitted < last.admitted || counts.refused < last.refused) {
    series.points = [];
    return series;
  }
  const seconds = (now_ms - last.ms) / 1000;
  series.points.push({
    ms: now_ms,
    admitted: (counts.admitted - last.admitted) / seconds,
    refused: (counts.refused - last.refused) / seconds,
    dry: (counts.refused_dry_run - last.refused_dry_run) / seconds,
  });
  if (series.points.length > POINTS) {
    series.points.shift();
  }
  return series;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  return element;
}

function makeChart() {
  const chart = svg("svg", { viewBox: "0 0 300 100",
    preserveAspectRatio: "none", role: "img" });
  for (const kind of ["admitted", "refused", "dry"]) {
    chart.append(svg("path", { class: kind }));
  }
  return chart;
}

// Returns the top of the chart's scale: admitted, and refused on top of it.
function draw(chart, points, now_ms) {
  const top = Math.max(1, ...points.map((p) => p.admitted + p.refused + p.dry));
  const x = (p) => 300 - (now_ms - p.ms) / (POINTS * EVERY_MS) * 300;
  const y = (value) => 99 - value / top * 95;
  const line = (value) => points.map((p) =>
    `${x(p).toFixed(1)},${y(value(p)).toFixed(1)}`);
  const area = (upper, lower) => points.length < 2 ? ""
    : `M${line(upper).join("L")}L${line(lower).reverse().join("L")}Z`;
  const all = (p) => p.admitted + p.refused;

  const [admitted, refused, dry] = chart.children;
  admitted.setAttribute("d", area((p) => p.admitted, () => 0));
  refused.setAttribute("d", points.some((p) => p.refused > 0)
    ? area(all, (p) => p.admitted) : "");
  dry.setAttribute("d", points.some((p) => p.dry > 0)
    ? `M${line((p) => p.dry).join("L")}` : "");
  return top;
}

// ---------------------------------------------------------------- sections

// What is counted of a policy, and what it means.
const COUNTS = [
  ["admitted", "Admitted", "Requests that it let pass, as did all others"],
  ["refused", "Refused", "Requests that it refused"],
  ["refused_dry_run", "Dry run", "Requests that it would have refused"],
  ["bypassed", "Bypassed",
    "Requests it did not count: no key, or an unlimited quota"],
  ["refunded", "Refunded", "Admitted requests whose units were given back"],
  ["errors", "Errors",
    "Nonsense from a variable, and requests left undecided: see the error log"],
];

function makePolicy(policy) {
  const list = make("dl");
  for (const [name, label, meaning] of COUNTS) {
    list.append(make("dt", { title: meaning }, label),
      make("dd", { "data-rate": name }), make("dd", { "data-count": name }));
  }
  return make("article", { class: "policy" },
    make("h3", {}, policy.name), make("p", { class: "terms" }),
    make("span", { class: "top" }), makeChart(), list);
}

function showPolicy(card, policy) {
  const { now_ms } = known.state;
  const { points } = remember(policy, now_ms);
  const last = points[points.length - 1] ?? { admitted: 0, refused: 0, dry: 0 };
  const chart = card.querySelector("svg");
  const top = draw(chart, points, now_ms);

  setText(card.querySelector(".top"), `${rate(top)}/s`);
  setText(card.querySelector(".terms"), `${policy.quota}`
    + policy.scale.map((scale) => ` × ${scale}`).join("")
    + `, ${policy.algorithm}, by ${policy.key.join(" and ")}, zone ${policy.zone}`
    + (policy.hidden ? ", hidden" : ""));
  chart.setAttribute("aria-label", `${policy.name}: admitted `
    + `${rate(last.admitted)}, refused ${rate(last.refused)} requests a second`);

  for (const [name] of COUNTS) {
    const count = policy.requests[name];
    const total = card.querySelector(`[data-count="${name}"]`);
    const now = card.querySelector(`[data-rate="${name}"]`);
    const value = { admitted: last.admitted, refused: last.refused,
      refused_dry_run: last.dry }[name];
    setText(total, number(count));
    setText(now, value === undefined ? "" : `${rate(value)}/s`);
    // What never happened is not worth a line, but for the two that matter.
    const shown = count > 0 || name === "admitted" || name === "refused";
    total.hidden = now.hidden = total.previousElementSibling
      .previousElementSibling.hidden = !shown;
  }
}

const used = (key) => key.limit === null ? [null, null]
  : [key.limit - key.remaining, key.limit];

const keyOf = (key) => `${key.policy}/${key.key_id}`;

function idCell(cell, key) {
  cell.classList.add("id");
  setText(cell, key.key_id);
}

function againCell(cell, key) {
  setText(cell, key.unlimited ? "unlimited by a lever" : key.limit === null
    ? "unknown" : key.retry_after_ms === 0 ? "now"
      : `in ${duration(key.retry_after_ms)}`);
}

function showKeys() {
  fillTable("refused", known.top.refused, keyOf, [
    textCell((key) => key.policy), idCell,
    textCell((key) => number(key.refused?.recent ?? 0)),
    textCell((key) => number(key.refused?.count ?? 0)),
    textCell((key) => key.refused ? time(key.refused.since) : ""),
    textCell((key) => key.refused ? ago(key.refused.last) : ""),
    fillCell(used), againCell,
    actionsCell(["Show", show], ["Reset", reset, true],
      ["Let through", letThrough, true]),
  ]);
  fillTable("busiest", known.top.busiest, keyOf, [
    textCell((key) => key.policy), idCell,
    textCell((key) => number(key.admitted?.recent ?? 0)),
    textCell((key) => key.admitted ? ago(key.admitted.last) : ""),
    fillCell(used), actionsCell(["Show", show]),
  ]);
}

function showZones() {
  fillTable("zones", known.state.zones, (zone) => zone.name, [
    textCell((zone) => zone.name),
    fillCell((zone) => [zone.live, zone.capacity]),
    textCell((zone) => number(zone.live)),
    textCell((zone) => number(zone.used - zone.live)),
    textCell((zone) => number(zone.capacity)),
    textCell((zone) => number(zone.evicted_idle)),
    (cell, zone) => {
      setText(cell, number(zone.evicted_live));
      cell.classList.toggle("alarm", zone.evicted_live > 0);
    },
    textCell((zone) => number(zone.lock_takeovers)),
  ]);
}

const leverIs = (lever) => lever.unlimited ? "unlimited"
  : lever.quota_units !== undefined ? `quota of ${number(lever.quota_units)}`
    : `scaled to ${lever.scale_percent} %`;

function showLevers() {
  fillTable("levers", known.state.levers,
    (lever) => `${lever.zone}/${lever.policy}/${lever.key_id}`, [
      textCell((lever) => lever.key_id ? `key ${lever.key_id}`
        : lever.policy ? `policy ${lever.policy}` : `zone ${lever.zone}`),
      textCell(leverIs),
      textCell((lever) => lever.until ? time(lever.until)
        : "removed, or nginx restarts"),
      actionsCell(["Remove", removeLever, true]),
    ]);
  byId("lever").hidden = !known.state.write;
}

// A choice keeps what was chosen while its options change.
function showChoices() {
  const option = (select) => (item) => arrange(select, item, (o) => o.value,
    (o) => make("option", { value: o.value }), (e, o) => setText(e, o.text));
  const policies = known.state.policies;

  option(byId("look-policy"))(policies.map((policy) =>
    ({ value: policy.name, text: policy.name })));
  option(byId("lever-of"))([
    ...known.state.zones.map((zone) =>
      ({ value: `zone=${encodeURIComponent(zone.name)}`,
        text: `zone ${zone.name}` })),
    ...policies.map((policy) =>
      ({ value: `policy=${policy.name}`, text: `policy ${policy.name}` })),
  ]);
  showParts();
}

// An input for each part of the chosen policy's key.
function showParts() {
  const policy = known.state?.policies.find((one) =>
    one.name === byId("look-policy").value);
  const parts = (policy?.key ?? []).map((text, i) => ({ text, i }));
  arrange(byId("look-parts"), parts, (part) => `${part.i} ${part.text}`,
    (part) => make("label", {}, `${part.text} `, make("input", { size: "24",
      spellcheck: "false", autocomplete: "off" })), () => {});
}

function showState() {
  setText(document.querySelector("h1"), `Rate limits of ${location.host}`);
  arrange(byId("policies"), known.state.policies,
    (policy) => `${policy.zone}/${policy.name}`, makePolicy, showPolicy);
  showZones();
  showLevers();
  showChoices();
}

// ------------------------------------------------------------------ one key

// What is known of a key, in words.
function describe(key) {
  const facts = [
    ["Key id", "The same in a log's $ratelimit_key_id", key.key_id],
    ["Policy", "", `${key.policy}, zone ${key.zone}`],
    ["Limit", "Units of the quota, or of the bucket for gcra",
      key.unlimited ? "unlimited" : key.limit === null
        ? "depends on the request, and none was seen lately"
        : `${number(key.limit)} in ${key.window}`
          + ({ last_request: ", as at its last request",
            bucket: ", about" }[key.limit_from] ?? "")],
    ["Remaining", "Units that are left now", key.remaining === null ? "unknown"
      : number(key.remaining)],
    ["Admitted again", "When a request of one unit is",
      key.retry_after_ms === null ? "now" : key.retry_after_ms === 0 ? "now"
        : `in ${duration(key.retry_after_ms)}`],
    ["All free again", "When the whole quota is there",
      key.reset_ms === null || key.retry_after_ms > 0 ? ""
        : key.reset_ms === 0 ? "now" : `in ${duration(key.reset_ms)}`],
    ["Last seen", "The latest that is still known",
      key.last_seen ? `${time(key.last_seen)}, ${ago(key.last_seen)}`
        : key.stored ? "unknown" : "never, or long ago"],
    ["Refused", "As far as the list of refused keys tells", key.refused
      ? `${number(key.refused.count)} times since ${time(key.refused.since)}`
        + `, last ${ago(key.refused.last)}` : "not lately"],
    ["Lever", "What was changed here for this key",
      key.lever ? leverIs(key.lever) + (key.lever.until
        ? ` until ${time(key.lever.until)}` : "") : "none"],
  ];
  const list = make("dl");
  for (const [label, meaning, text] of facts) {
    if (text) {
      list.append(make("dt", meaning ? { title: meaning } : {}, label),
        make("dd", {}, text));
    }
  }
  return list;
}

function makeCard(key) {
  const card = make("div", { class: "card" }, describe(key));
  if (!known.state?.write) {
    return card;
  }
  const units = make("input", { size: "9", inputmode: "numeric",
    value: String(key.limit ? 2 * key.limit : 100),
    pattern: "[0-9]{1,9}|unlimited", title: "units, or unlimited" });
  const hours = byId("lever-for").cloneNode(true);
  hours.removeAttribute("id");
  card.append(
    make("div", { class: "buttons" },
      make("button", { type: "button", onclick: () => reset(key) }, "Reset"),
      make("button", { type: "button", onclick: () => letThrough(key) },
        "Let through for an hour"),
      ...(key.lever ? [make("button", { type: "button",
        onclick: () => removeLever(key) }, "Remove lever")] : [])),
    make("div", { class: "buttons" },
      make("label", {}, "A quota of ", units),
      make("label", {}, "for ", hours),
      make("button", { type: "button",
        onclick: () => giveQuota(key, units.value.trim(), hours.value) },
      "Set")));
  return card;
}

const target = (key) => new URLSearchParams(
  { policy: key.policy, id: key.key_id }).toString();

async function show(key) {
  const answer = await ask(`keys?${target(key)}`);
  byId("found").replaceChildren(makeCard(answer));
  byId("found").scrollIntoView({ block: "nearest" });
}

async function lookUp(event) {
  event.preventDefault();
  const id = byId("look-id").value.trim();
  // Not URLSearchParams, which writes a blank as the "+" that stays one.
  const query = [`policy=${encodeURIComponent(byId("look-policy").value)}`];
  if (id) {
    query.push(`id=${encodeURIComponent(id)}`);
  } else {
    for (const input of byId("look-parts").querySelectorAll("input")) {
      query.push(`key=${encodeURIComponent(input.value)}`);
    }
  }
  await attempt(async () => {
    const key = await ask(`keys?${query.join("&")}`);
    byId("found").replaceChildren(makeCard(key));
    tell("");
  });
}

// ------------------------------------------------------------------ writing

// Asks; true if it was confirmed.  The button that does nothing has the focus.
function confirmed(title, text, label) {
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), label);
  const dialog = byId("ask");
  dialog.returnValue = "";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () =>
      resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Asks, writes, and shows what came of it.
async function write(question, method, path, done) {
  if (!await confirmed(...question)) {
    return;
  }
  await attempt(async () => {
    const answer = await ask(path, method);
    tell(done, true);
    await refresh();
    return answer;
  });
}

function reset(key) {
  return write(["Reset this key?", `All that ${nameOf(key)} has in use is `
    + "taken off it: it may use its whole quota at once.", "Reset"],
  "DELETE", `keys?${target(key)}`, `Reset ${nameOf(key)}.`).then(() => again(key));
}

function letThrough(key) {
  return giveQuota(key, "unlimited", "1h");
}

function giveQuota(key, quota, howLong) {
  const query = `levers?${target(key)}&quota=${encodeURIComponent(quota)}`
    + (howLong ? `&for=${howLong}` : "");
  const until = howLong ? `for ${howLong}` : "until the lever is removed";
  return write(["Change this key's quota?", `The quota of ${nameOf(key)} is `
    + `${quota} ${until}, whatever the configuration says.`, "Change"],
  "PUT", query, `The quota of ${nameOf(key)} is ${quota}.`).then(() => again(key));
}

function removeLever(lever) {
  const query = lever.key_id
    ? target({ ...lever, policy: lever.policy ?? known.state.policies.find(
      (policy) => policy.zone === lever.zone)?.name })
    : lever.policy ? `policy=${lever.policy}`
      : `zone=${encodeURIComponent(lever.zone)}`;
  return write(["Remove this lever?", `For ${nameOf(lever)} all is as `
    + "configured again.", "Remove"], "DELETE", `levers?${query}`,
  `Removed the lever of ${nameOf(lever)}.`).then(() => again(lever));
}

function setLever(event) {
  event.preventDefault();
  const of = byId("lever-of");
  const name = of.selectedOptions[0].textContent;
  const scale = byId("lever-scale").value;
  const howLong = byId("lever-for").value;
  write(["Scale these quotas?", `Every quota of ${name} is ${scale} % of what `
    + `is configured${howLong ? `, for ${howLong}` : ""}.`, "Scale"], "PUT",
  `levers?${of.value}&scale=${encodeURIComponent(`${scale}%`)}`
    + (howLong ? `&for=${howLong}` : ""), `Scaled ${name} to ${scale} %.`);
}

// Shows the key anew, if it is the one that is shown.
function again(key) {
  const shown = byId("found").querySelector("dd");
  return shown && key.policy && shown.textContent === key.key_id
    ? show(key).catch(() => {}) : undefined;
}

// ------------------------------------------------------------- the server

async function ask(path, method = "GET") {
  const response = await fetch(base + path, { method, cache: "no-store",
    headers: { Accept: "application/json" } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(answer.detail ?? `the server answered ${response.status}`);
  }
  return answer;
}

function tell(text, done = false) {
  const message = byId("message");
  message.hidden = text === "";
  message.classList.toggle("done", done);
  setText(message, text);
}

async function attempt(does) {
  try {
    return await does();
  } catch (error) {
    tell(`That did not work: ${error.message}.`);
    return undefined;
  }
}

async function refresh() {
  const [state, top] = await Promise.all([ask(""), ask(`keys?top=${TOP}`)]);
  known.state = state;
  known.top = top;
  answered = Date.now();
  showState();
  showKeys();
}

function showAge(error) {
  const state = byId("state");
  const old = answered ? `, as of ${new Date(answered).toLocaleTimeString()}`
    : "";
  state.classList.toggle("lost", Boolean(error));
  setText(state, error ? `No answer: ${error.message}${old}`
    : paused ? `Paused${old}`
      : `Live, nginx ${known.state.nginx}${known.state.write ? "" : ", read only"}`);
}

async function turn() {
  clearTimeout(timer);
  if (!paused && !document.hidden) {
    try {
      await refresh();
      showAge();
    } catch (error) {
      showAge(error);
    }
  }
  clearTimeout(timer);
  timer = setTimeout(turn, EVERY_MS);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  setText(byId("pause"), paused ? "Go on" : "Pause");
  showAge();
  turn();
});
byId("ask-no").addEventListener("click", () => byId("ask").close("no"));
byId("ask-yes").addEventListener("click", () => byId("ask").close("yes"));
byId("look").addEventListener("submit", lookUp);
byId("look-policy").addEventListener("change", showParts);
byId("lever").addEventListener("submit", setLever);
byId("metrics").href = `${base}metrics`;
document.addEventListener("visibilitychange", turn);
turn();
