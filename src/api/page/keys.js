"use strict";

// A single key: what is known of it, and what is done to it once confirmed.

// What is known of a key, in words.
function describe(key) {
  const facts = [
    ["Key id", "The same in a log's $ratelimit_key_id", key.key_id],
    ["Who", "What label= says", key.label ?? ""],
    ["Policy", "", `${key.policy}, zone ${key.zone}`],
    ["Taken as", "What the value may be: without a tag it may be several",
      key.tags ? key.tags.map((tag) => tag ?? "a value").join(" and ") : ""],
    ["Limit", "Units of the quota, or of the bucket for gcra",
      key.unlimited ? "unlimited" : key.limit === null
        ? "depends on the request, and none was seen lately"
        : `${number(key.limit)} ${key.window === null ? "at once" : `in ${key.window}`}`
          + ({ last_request: ", as at its last request",
            bucket: ", about", override: ", by an override" }[key.limit_source] ?? "")],
    ["Remaining", "Units that are left now", key.remaining === null ? "unknown"
      : number(key.remaining)],
    ["Retry in", "When a request of one unit is admitted again",
      key.unlimited || key.retry_after_ms === 0 ? "now"
        : key.retry_after_ms === null ? "unknown" : duration(key.retry_after_ms)],
    ["Full again in", "When the whole quota is there",
      key.reset_ms === null || key.retry_after_ms > 0 ? ""
        : key.reset_ms === 0 ? "now" : duration(key.reset_ms)],
    ["Banned until", "It is refused until then, whatever units are back",
      key.banned_until ? `${time(key.banned_until)}, in `
        + duration(key.retry_after_ms) : ""],
    ["Last seen", "The latest that is still known",
      key.last_seen ? `${time(key.last_seen)}, ${ago(key.last_seen)}`
        : key.exists ? "unknown" : "never, or long ago"],
    [isDry(key) ? "Would be refused" : "Refused",
      "As far as the list of refused keys tells", key.refused
      ? `${number(key.refused.requests)} times since ${time(key.refused.first_seen)}`
        + `, last ${ago(key.refused.last_seen)}` : "not lately"],
    ["Override", "What was changed here for this key",
      key.override ? overrideIs(key.override) + (key.override.until
        ? ` until ${time(key.override.until)}` : "") : "none"],
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
  const hours = byId("override-for").cloneNode(true);
  hours.removeAttribute("id");
  card.append(
    make("div", { class: "buttons" },
      make("button", { type: "button", onclick: () => reset(key) }, "Reset"),
      make("button", { type: "button", onclick: () => letThrough(key) },
        "Let through for an hour"),
      ...(key.override ? [make("button", { type: "button",
        onclick: () => removeOverride(key) }, "Remove override")] : [])),
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
    const answer = await ask(`keys?${query.join("&")}`);
    byId("found").replaceChildren(...(answer.keys ?? [answer]).map(makeCard));
    tell("");
  });
}

// ------------------------------------------------------------------ writing

// Takes the answer to what was asked last.  The dialog's "close" would tell it
// too, but later: a question that is asked at once again would hear it.
let takeAnswer = () => {};

function settle(yes) {
  byId("ask").close();
  takeAnswer(yes);
}

// Asks; true if it was confirmed.  The button that does nothing has the focus.
function confirmed(title, text, label) {
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), label);
  byId("ask").showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => {
    takeAnswer = resolve;
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
    + "taken off it, and a ban is lifted: it may use its whole quota at once.",
  "Reset"],
  "DELETE", `keys?${target(key)}`, `Reset ${nameOf(key)}.`).then(() => again(key));
}

function lift(ban) {
  return write(["Lift this ban?", `From now on ${nameOf(ban)} is decided `
    + "as any other, with its whole quota.", "Lift"], "DELETE",
  `bans?${target(ban)}`, `Lifted the ban of ${nameOf(ban)}.`)
    .then(() => again(ban));
}

function resetAll(policy) {
  return write([`Reset all keys of ${policy.name}?`, "All that its keys have in "
    + "use is taken off them, and bans are lifted: every client may use its "
    + "whole quota at once.", "Reset all"],
  "DELETE", `keys?policy=${policy.name}&all=yes`,
  `Reset all keys of ${policy.name}.`);
}

function letThrough(key) {
  return giveQuota(key, "unlimited", "1h");
}

function giveQuota(key, quota, howLong) {
  const query = `overrides?${target(key)}&quota=${encodeURIComponent(quota)}`
    + (howLong ? `&for=${howLong}` : "");
  const until = howLong ? `for ${howLong}` : "until the override is removed";
  return write(["Change this key's quota?", `The quota of ${nameOf(key)} is `
    + `${quota} ${until}, whatever the configuration says.`, "Change"],
  "PUT", query, `The quota of ${nameOf(key)} is ${quota}.`).then(() => again(key));
}

function removeOverride(override) {
  const query = override.key_id ? target(override)
    : override.policy ? `policy=${override.policy}`
      : `zone=${encodeURIComponent(override.zone)}`;
  return write(["Remove this override?", `For ${nameOf(override)} all is as `
    + "configured again.", "Remove"], "DELETE", `overrides?${query}`,
  `Removed the override of ${nameOf(override)}.`).then(() => again(override));
}

function setOverride(event) {
  event.preventDefault();
  const of = byId("override-of");
  const name = of.selectedOptions[0].textContent;
  const scale = byId("override-scale").value;
  const howLong = byId("override-for").value;
  write(["Scale these quotas?", `Every quota of ${name} is ${finePercents.format(scale / 100)} of what `
    + `is configured${howLong ? `, for ${howLong}` : ""}.`, "Scale"], "PUT",
  `overrides?${of.value}&scale=${encodeURIComponent(`${scale}%`)}`
    + (howLong ? `&for=${howLong}` : ""), `Scaled ${name} to ${finePercents.format(scale / 100)}.`);
}

// Shows the key anew, if it is the one that is shown.
function again(key) {
  const shown = byId("found").querySelector("dd");
  return shown && key.policy && shown.textContent === key.key_id
    ? show(key).catch(() => {}) : undefined;
}
