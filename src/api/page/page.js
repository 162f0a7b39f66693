"use strict";

// The page of ratelimit_api: asks the server for its state every two seconds
// and shows it.  The last of the scripts, which share their names.

// How many keys of each list are asked for: more once somebody wants more.
const KEYS = 50;
const MORE_KEYS = 100;

let timer = 0;

// -------------------------------------------------------------------- keys

const keyOf = (key) => `${key.policy}/${key.key_id}`;

const textsOfKey = (key) => [key.policy, key.zone, key.key_id, key.label];

// What a list of keys can be sorted by.
const valuesOf = (list) => ({
  policy: (key) => key.policy,
  recent: (key) => key[list]?.requests_last_minute,
  total: (key) => key[list]?.requests,
  first: (key) => key[list]?.first_seen,
  last: (key) => key[list]?.last_seen,
  used: shareOf,
  retry: (key) => key.retry_after_ms,
});

const nameCell = textCell((key) => key.policy);

const figureCell = (list, name) =>
  textCell((key) => number(key[list]?.[name] ?? 0));

const timeCell = (list, name, text) =>
  textCell((key) => key[list] ? text(key[list][name]) : "");

function idCell(cell, key) {
  cell.classList.add("id");
  setText(cell, idOf(key));
}

function retryCell(cell, key) {
  setText(cell, key.unlimited ? "unlimited by an override" : key.limit === null
    ? "unknown" : (key.retry_after_ms === 0 ? "now"
      : duration(key.retry_after_ms)) + (key.override ? ", by an override" : ""));
}

function showRefused() {
  const enforced = known.keys.top_refused.filter((key) => !isDry(key));
  const dry = known.keys.top_refused.filter(isDry);
  const shown = filtered(enforced, textsOfKey);
  const shownDry = filtered(dry, textsOfKey);
  const facts = [nameCell, idCell, figureCell("refused", "requests_last_minute"),
    figureCell("refused", "requests"), timeCell("refused", "first_seen", time),
    timeCell("refused", "last_seen", ago), fillCell(used)];

  fillTable("top-refused", shown, keyOf, [...facts, retryCell,
    actionsCell(["Show", show], ["Reset", reset, true],
      ["Let through", letThrough, true])], valuesOf("refused"));
  showNone("top-refused", enforced, shown);
  fillTable("top-dry", shownDry, keyOf, [...facts,
    actionsCell(["Show", show])], valuesOf("refused"));
  byId("top-dry-section").hidden = shownDry.length === 0;
}

function showAdmitted() {
  const all = known.keys.top_admitted;
  const shown = filtered(all, textsOfKey);

  fillTable("top-admitted", shown, keyOf, [nameCell, idCell,
    figureCell("admitted", "requests_last_minute"),
    timeCell("admitted", "last_seen", ago), fillCell(used),
    actionsCell(["Show", show])], valuesOf("admitted"));
  showNone("top-admitted", all, shown);
}

// -------------------------------------------------------------------- bans

const NO_BANS = { banned: 0, bans: [] };

const leftOf = (ban) => Math.max(0, ban.until * 1000 - known.state.now_ms);

// What the list of bans can be sorted by.
const valuesOfBans = {
  policy: (ban) => ban.policy,
  since: (ban) => ban.since,
  until: (ban) => ban.until,
  left: leftOf,
  level: (ban) => ban.level,
};

// Nothing of them where nobody was ever banned.
function showBans() {
  const { banned, bans } = known.bans;
  const shown = filtered(bans, textsOfKey);

  byId("bans-section").hidden = !known.state.policies.some((policy) =>
    policy.bans > 0 || policy.banned > 0);
  setText(byId("bans-count"), bans.length < banned
    ? `Of ${count(banned, "key")} the ${number(bans.length)} banned last are `
      + "listed." : "");
  fillTable("bans", shown, keyOf, [nameCell, idCell,
    textCell((ban) => time(ban.since)), textCell((ban) => time(ban.until)),
    textCell((ban) => duration(leftOf(ban))),
    textCell((ban) => `no. ${number(ban.level)}, ${duration(ban.duration_ms)}`),
    actionsCell(["Show", show], ["Lift", lift, true])], valuesOfBans);
  showNone("bans", bans, shown);
}

// ---------------------------------------------------------- zones and Redis

function writtenCell(cell, zone) {
  const age_ms = zone.state_age_ms;
  setText(cell, age_ms === undefined ? "no file" : age_ms === null ? "not yet"
    : `${duration(age_ms)} ago`);
  cell.classList.toggle("alarm", age_ms === null);
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
    writtenCell,
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
      : hundredths.format(
        redis.round_trips.sum_us / redis.round_trips.count / 1000)),
    textCell((redis) => number(redis.decisions.redis)),
    textCell((redis) => number(redis.decisions.local + redis.decisions.allow
      + redis.decisions.refuse)),
    textCell((redis) => number(redis.outages)),
    textCell((redis) => number(redis.losses)),
  ]);
}

// --------------------------------------------------------------- overrides

const overrideIs = (override) => override.unlimited ? "unlimited"
  : override.quota_units !== undefined ? `quota of ${number(override.quota_units)}`
    : `scaled to ${finePercents.format(override.scale_percent / 100)}`;

function showOverrides() {
  const all = known.state.overrides;
  const shown = filtered(all, (override) =>
    [override.policy, override.zone, override.key_id, override.label]);
  fillTable("overrides", shown,
    (override) => `${override.zone}/${override.policy}/${override.key_id}`, [
      textCell((override) => override.key_id ? `key ${idOf(override)} of ${override.policy}`
        : override.policy ? `policy ${override.policy}` : `zone ${override.zone}`),
      textCell((override) => overrideIs(override)
        + (override.in_force ? "" : ", not in force: the policy has changed")),
      textCell((override) => override.until ? time(override.until)
        : "removed, or nginx restarts without a state file"),
      actionsCell(["Remove", removeOverride, true]),
    ]);
  showNone("overrides", all, shown);
  byId("override").hidden = !known.state.write || known.state.zones.length === 0;
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
  byId("look").hidden = policies.length === 0;
  byId("look-none").hidden = policies.length !== 0;
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

// ------------------------------------------------------------ the whole page

// Shows what is known, anew.
function redraw() {
  if (known.state === null) {
    return;
  }
  showPolicies();
  showRefused();
  showBans();
  showAdmitted();
  showZones();
  showRedis();
  showOverrides();
  showChoices();
}

async function refresh() {
  const wanted = [...views.values()].some((view) => view.rows > ROWS)
    ? MORE_KEYS : KEYS;
  const isFirst = known.state === null;
  const [state, keys, history] = await Promise.all([ask(""),
    ask(`keys?top=${wanted}`), isFirst ? ask("history") : null]);
  if (isFirst) {
    rememberPast(history);
  }
  const bans = state.policies.some((policy) => policy.banned > 0)
    ? await ask(`bans?top=${wanted}`) : NO_BANS;
  known.state = state;
  known.keys = keys;
  known.bans = bans;
  for (const policy of state.policies) {
    remember(policy, state.now_ms);
  }
  classifyKeys();
  setText(document.querySelector("h1"), `Rate limits of ${location.host}`);
  redraw();
  contact.answered = Date.now();
  contact.silent = 0;
  contact.error = null;
}

async function turn() {
  clearTimeout(timer);
  if (!contact.paused && !document.hidden) {
    contact.silent ||= Date.now();
    try {
      await refresh();
    } catch (error) {
      contact.error = error;
    }
    showContact();
  } else {
    contact.silent = 0;
  }
  clearTimeout(timer);
  timer = setTimeout(turn, EVERY_MS);
}

byId("pause").addEventListener("click", () => {
  contact.paused = !contact.paused;
  setText(byId("pause"), contact.paused ? "Resume" : "Pause");
  contact.silent = 0;
  showContact();
  turn();
});
byId("reload").addEventListener("click", () => location.reload());
byId("message-close").addEventListener("click", () => tell(""));
byId("ask").addEventListener("cancel", () => settle(false));
byId("ask-no").addEventListener("click", () => settle(false));
byId("ask-yes").addEventListener("click", () => settle(true));
byId("filter").addEventListener("input", redraw);
byId("sort").addEventListener("change", redraw);
byId("look").addEventListener("submit", lookUp);
byId("look-policy").addEventListener("change", showParts);
byId("override").addEventListener("submit", setOverride);
byId("metrics").href = `${base}metrics`;
for (const id of ["top-refused", "top-dry", "bans", "top-admitted"]) {
  makeSortable(id, redraw);
  makeMore(id, redraw);
}
document.addEventListener("visibilitychange", turn);
setInterval(showContact, 1000);
turn();
