"use strict";

// Policies: a card each, those in trouble first, and a line about all of them.

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

const used = (key) => key.limit === null ? [null, null]
  : [key.limit - key.remaining, key.limit];

const shareOf = (key) => key.limit > 0 ? (key.limit - key.remaining) / key.limit
  : null;

const isDry = (key) => key.refused?.dry_run === true;

// How a policy stands: the worst that is true of it, and in words.
function conditionOf(policy) {
  const { now_ms } = known.state;
  const minute = lastMinute(policy, now_ms);
  const { last_minute: keys, since: first } = policy.refused_keys;
  const near = known.near.get(policy.name) ?? 0;
  if (keys > 0 || minute.refused > 0) {
    return { rank: 0, name: "refuses", text: keys === 0 ? "refuses"
      : `refuses ${count(keys, "key")} since ${since(first)}` };
  }
  if (near > 0) {
    return { rank: 1, name: "near",
      text: `${count(near, "key")} near ${near === 1 ? "its" : "their"} quota` };
  }
  if (minute.dry > 0 || known.dry.has(policy.name)) {
    return { rank: 2, name: "dry", text: "would refuse (dry run)" };
  }
  return { rank: 3, name: "calm", text: "" };
}

// How many of the keys each policy has.
function countKeys(keys) {
  const counts = new Map();
  for (const key of keys) {
    counts.set(key.policy, (counts.get(key.policy) ?? 0) + 1);
  }
  return counts;
}

// Keys near their quota that are not refused yet, and those that were refused
// lately, but by a dry run.
function classifyKeys() {
  known.near = countKeys(known.keys.top_admitted.filter((key) =>
    !key.unlimited && shareOf(key) >= NEAR && key.retry_after_ms === 0));
  known.dry = countKeys(known.keys.top_refused.filter((key) =>
    isDry(key) && key.refused.requests_last_minute > 0));
}

// ------------------------------------------------------------- the summary

// "2 of 6 policies refuse: 31 % of their requests, 14 keys, since 15:45"
function summaryOf(policies, conditions) {
  const refusing = policies.filter((policy, i) => conditions[i].name === "refuses");
  const near = [...known.near.values()].reduce((sum, keys) => sum + keys, 0);
  const ends = near === 0 ? "."
    : `; ${count(near, "key")} near ${near === 1 ? "its" : "their"} quota.`;
  if (policies.length === 0) {
    return "No policy is configured.";
  }
  if (refusing.length === 0) {
    return `None of ${count(policies.length, "policy").replace(/ys?$/,
      policies.length === 1 ? "y" : "ies")} refuses${ends}`;
  }
  const minutes = refusing.map((policy) =>
    lastMinute(policy, known.state.now_ms));
  const refused = minutes.reduce((sum, minute) => sum + minute.refused, 0);
  const all = minutes.reduce((sum, minute) => sum + minute.admitted, refused);
  const keys = refusing.reduce((sum, policy) =>
    sum + policy.refused_keys.last_minute, 0);
  const first = Math.min(...refusing.map((policy) =>
    policy.refused_keys.since ?? Infinity));
  const facts = [
    refused > 0 ? `${percent(refused / all)} of their requests` : "",
    keys > 0 ? count(keys, "key") : "",
    first < Infinity ? `since ${since(first)}` : "",
  ].filter((fact) => fact !== "");
  return `${number(refusing.length)} of ${number(policies.length)} `
    + `${policies.length === 1 ? "policy refuses" : "policies refuse"}`
    + (facts.length > 0 ? `: ${facts.join(", ")}` : "") + ends;
}

// --------------------------------------------------------------- the cards

// Where a card stands, smaller first.
const ORDERS = {
  trouble: (policy, condition) => condition.rank,
  refused: (policy) => -lastMinute(policy, known.state.now_ms).refused,
  admitted: (policy) => -lastMinute(policy, known.state.now_ms).admitted,
  configured: () => 0,
};

function ordered(cards) {
  const order = byId("sort").value;
  return order === "name"
    ? [...cards].sort((one, other) =>
      one.policy.name.localeCompare(other.policy.name))
    : [...cards].sort((one, other) =>
      ORDERS[order](one.policy, one.condition)
        - ORDERS[order](other.policy, other.condition));
}

function makePolicy({ policy }) {
  const list = make("dl");
  for (const [name, label, meaning] of COUNTS) {
    list.append(make("dt", { title: meaning }, label),
      make("dd", { "data-rate": name }), make("dd", { "data-count": name }));
  }
  return make("article", { class: "policy" },
    make("h3", {}, policy.name), make("p", { class: "condition" }),
    make("p", { class: "terms" }),
    make("span", { class: "top" }), makeChart(), list,
    make("div", { class: "buttons" },
      make("button", { type: "button", "aria-label": `Keys of ${policy.name}`,
        onclick: () => showKeysOf(policy) }, "Keys"),
      make("button", { type: "button", class: "reset-all",
        "aria-label": `Reset all keys of ${policy.name}`,
        onclick: () => resetAll(policy) }, "Reset all")));
}

// Leaves what belongs to the policy.
function showKeysOf(policy) {
  byId("filter").value = policy.name;
  redraw();
  byId("top-refused-title").scrollIntoView({ block: "start" });
  byId("filter").focus({ preventScroll: true });
}

// Places come back as their requests end.
const canReset = (policy) => known.state.write
  && policy.algorithm !== "concurrent";

function termsOf(policy) {
  const { reserved, settled, returned } = policy.units;
  const units = reserved + settled - returned;
  return policy.quota + policy.scale.map((scale) => ` × ${scale}`).join("")
    + `, ${policy.algorithm}, by ${policy.key.join(" and ")}, zone ${policy.zone}`
    + (policy.hidden ? ", hidden" : "")
    + (units === policy.requests.admitted ? ""
      : `, ${number(units)} units used so far`)
    + (policy.bans ? `, ${count(policy.bans, "ban")} so far` : "")
    + (policy.banned ? `, ${count(policy.banned, "key")} banned now` : "")
    + (policy.waiting ? `, ${number(policy.waiting)} waiting now` : "");
}

function showPolicy(card, { policy, condition }) {
  const { now_ms } = known.state;
  const { now: last, points } = known.rates.get(seriesName(policy));
  const chart = card.querySelector("svg");
  const top = draw(chart, points, now_ms);

  card.dataset.condition = condition.name;
  setText(card.querySelector(".condition"), condition.text);
  setText(card.querySelector(".top"), `${rate(top)}/s`);
  setText(card.querySelector(".terms"), termsOf(policy));
  chart.setAttribute("aria-label", `${policy.name}: admitted `
    + `${rate(last.admitted)}, refused ${rate(last.refused)} requests a second`);

  card.querySelector(".reset-all").hidden = !canReset(policy);
  for (const [name] of COUNTS) {
    const total = card.querySelector(`[data-count="${name}"]`);
    const now = card.querySelector(`[data-rate="${name}"]`);
    const value = { admitted: last.admitted, refused: last.refused,
      refused_dry_run: last.dry }[name];
    setText(total, number(policy.requests[name]));
    setText(now, value === undefined ? "" : `${rate(value)}/s`);
    // What never happened is not worth a line, but for the two that matter.
    const shown = policy.requests[name] > 0 || name === "admitted"
      || name === "refused";
    total.hidden = now.hidden = total.previousElementSibling
      .previousElementSibling.hidden = !shown;
  }
}

function showPolicies() {
  const { policies } = known.state;
  const conditions = policies.map(conditionOf);
  const shown = filtered(policies.map((policy, i) =>
    ({ policy, condition: conditions[i] })), ({ policy }) =>
    [policy.name, policy.zone, ...policy.key]);

  setText(byId("summary"), summaryOf(policies, conditions));
  byId("summary").className = conditions.reduce((worst, one) =>
    one.rank < worst.rank ? one : worst, { rank: 3, name: "calm" }).name;
  arrange(byId("policies"), ordered(shown),
    ({ policy }) => `${policy.zone}/${policy.name}`, makePolicy, showPolicy);
  showNone("policies", policies, shown);
}
