"use strict";

// The page of ratelimit_api: asks the server for its state every two seconds
// and shows it.  The last of the scripts, which share their names.

const TOP = 10;

// The location may have been asked for with or without a slash at its end.
const base = location.pathname.replace(/\/?$/, "/");

// What is known: the latest answers, and per policy the rates seen so far.
const known = { state: null, keys: null, rates: new Map() };
let paused = false;
let answered = 0; // when the server last did
let timer = 0;

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
  const { reserved, settled, returned } = policy.units;
  const used = reserved + settled - returned;
  const chart = card.querySelector("svg");
  const top = draw(chart, points, now_ms);

  setText(card.querySelector(".top"), `${rate(top)}/s`);
  setText(card.querySelector(".terms"), `${policy.quota}`
    + policy.scale.map((scale) => ` × ${scale}`).join("")
    + `, ${policy.algorithm}, by ${policy.key.join(" and ")}, zone ${policy.zone}`
    + (policy.hidden ? ", hidden" : "")
    + (used === policy.requests.admitted ? ""
      : `, ${number(used)} units used so far`)
    + (policy.bans ? `, ${number(policy.bans)} bans so far` : "")
    + (policy.waiting ? `, ${number(policy.waiting)} waiting now` : ""));
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
  setText(cell, idOf(key));
}

function againCell(cell, key) {
  setText(cell, key.unlimited ? "unlimited by an override" : key.limit === null
    ? "unknown" : key.retry_after_ms === 0 ? "now"
      : `in ${duration(key.retry_after_ms)}`);
}

function showKeys() {
  fillTable("top-refused", known.keys.top_refused, keyOf, [
    textCell((key) => key.policy), idCell,
    textCell((key) => number(key.refused?.requests_last_minute ?? 0)),
    textCell((key) => number(key.refused?.requests ?? 0)),
    textCell((key) => key.refused ? time(key.refused.first_seen) : ""),
    textCell((key) => key.refused ? ago(key.refused.last_seen) : ""),
    fillCell(used), againCell,
    actionsCell(["Show", show], ["Reset", reset, true],
      ["Let through", letThrough, true]),
  ]);
  fillTable("top-admitted", known.keys.top_admitted, keyOf, [
    textCell((key) => key.policy), idCell,
    textCell((key) => number(key.admitted?.requests_last_minute ?? 0)),
    textCell((key) => key.admitted ? ago(key.admitted.last_seen) : ""),
    fillCell(used), actionsCell(["Show", show]),
  ]);
}

function showZones() {
  fillTable("zones", known.state.zones, (zone) => zone.name, [
    textCell((zone) => zone.name),
    fillCell((zone) => [zone.active, zone.capacity]),
    textCell((zone) => number(zone.active)),
    textCell((zone) => number(zone.entries - zone.active)),
    textCell((zone) => number(zone.capacity)),
    textCell((zone) => number(zone.evicted_idle)),
    (cell, zone) => {
      setText(cell, number(zone.evicted_active));
      cell.classList.toggle("alarm", zone.evicted_active > 0);
    },
    textCell((zone) => number(zone.lock_recoveries)),
  ]);
}

function showRedis() {
  const all = known.state.redis ?? [];
  byId("redis-section").hidden = all.length === 0;
  fillTable("redis", all, (redis) => redis.name, [
    textCell((redis) => redis.name),
    textCell((redis) => redis.cluster ? "cluster" : redis.server ?? ""),
    (cell, redis) => {
      const away = redis.connected_since === null;
      setText(cell, away ? "away" : time(redis.connected_since));
      cell.classList.toggle("alarm", away);
    },
    textCell((redis) => number(redis.machines)),
    textCell((redis) => number(redis.held_units)),
    textCell((redis) => number(redis.round_trips.count)),
    textCell((redis) => redis.round_trips.count === 0 ? ""
      : (redis.round_trips.sum_us / redis.round_trips.count / 1000).toFixed(2)),
    textCell((redis) => number(redis.decisions.redis)),
    textCell((redis) => number(redis.decisions.local + redis.decisions.allow
      + redis.decisions.refuse)),
    textCell((redis) => number(redis.outages)),
    textCell((redis) => number(redis.losses)),
  ]);
}

const overrideIs = (override) => override.unlimited ? "unlimited"
  : override.quota_units !== undefined ? `quota of ${number(override.quota_units)}`
    : `scaled to ${override.scale_percent} %`;

function showOverrides() {
  fillTable("overrides", known.state.overrides,
    (override) => `${override.zone}/${override.policy}/${override.key_id}`, [
      textCell((override) => override.key_id ? `key ${idOf(override)} of ${override.policy}`
        : override.policy ? `policy ${override.policy}` : `zone ${override.zone}`),
      textCell((override) => overrideIs(override)
        + (override.in_force ? "" : ", not in force: the policy has changed")),
      textCell((override) => override.until ? time(override.until)
        : "removed, or nginx restarts without a state file"),
      actionsCell(["Remove", removeOverride, true]),
    ]);
  byId("override").hidden = !known.state.write;
}

// A choice keeps what was chosen while its options change.
function showChoices() {
  const option = (select) => (item) => arrange(select, item, (o) => o.value,
    (o) => make("option", { value: o.value }), (e, o) => setText(e, o.text));
  const policies = known.state.policies;

  option(byId("look-policy"))(policies.map((policy) =>
    ({ value: policy.name, text: policy.name })));
  option(byId("override-of"))([
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
  showRedis();
  showOverrides();
  showChoices();
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
  const [state, keys] = await Promise.all([ask(""), ask(`keys?top=${TOP}`)]);
  known.state = state;
  known.keys = keys;
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
byId("ask").addEventListener("cancel", () => settle(false));
byId("ask-no").addEventListener("click", () => settle(false));
byId("ask-yes").addEventListener("click", () => settle(true));
byId("look").addEventListener("submit", lookUp);
byId("look-policy").addEventListener("change", showParts);
byId("override").addEventListener("submit", setOverride);
byId("metrics").href = `${base}metrics`;
document.addEventListener("visibilitychange", turn);
turn();
