"use strict";

// Asking the server, and whether it answers.

const EVERY_MS = 2000;
const PATIENCE_MS = 5000; // then it is said that nobody answers
const WRITE_PATIENCE_MS = 30000;
const STOPPED = "nginx's workers are busy or stopped";

// The location may have been asked for with or without a slash at its end.
const base = location.pathname.replace(/\/?$/, "/");

// What is known: the latest answers, and per policy the rates seen so far.
const known = { state: null, keys: null, bans: null, rates: new Map(),
  near: new Map(), dry: new Map() };

// When the server last answered; since when it does not, 0 if it does.
const contact = { answered: 0, silent: 0, error: null, paused: false };

// An answer of somebody else's, in front of nginx, who wants a new sign-in.
class SessionOver extends Error {}

const signIn = (status) => new SessionOver(status === 401
  ? "the server asks for a user name and password"
  : status === 0 ? "the server redirects to another page"
    : "a page came in the place of JSON");

async function ask(path, method = "GET") {
  const patience = method === "GET" ? PATIENCE_MS : WRITE_PATIENCE_MS;
  const response = await fetch(base + path, { method, cache: "no-store",
    redirect: "manual", signal: AbortSignal.timeout(patience),
    headers: { Accept: "application/json" } })
    .catch((error) => {
      throw new Error(error.name === "TimeoutError" ? STOPPED
        : "the server is not reached");
    });
  if (response.type === "opaqueredirect" || response.status === 401) {
    throw signIn(response.status);
  }
  const isJson = /^application\/(problem\+)?json/
    .test(response.headers.get("Content-Type") ?? "");
  if (!isJson && response.ok) {
    throw signIn(response.status);
  }
  const answer = isJson ? await response.json() : {};
  if (!response.ok) {
    throw new Error(answer.detail ?? `the server answered ${response.status}`);
  }
  return answer;
}

function tell(text, done = false) {
  const message = byId("message");
  message.hidden = text === "";
  message.classList.toggle("done", done);
  setText(byId("message-text"), text);
}

async function attempt(does) {
  try {
    return await does();
  } catch (error) {
    tell(`That did not work: ${error.message}.`);
    return undefined;
  }
}

// Once a second, whether the server answers or not.
function showContact() {
  const state = byId("state");
  const silent_ms = contact.silent ? Date.now() - contact.silent : 0;
  const lost = !contact.paused
    && (contact.error !== null || silent_ms >= PATIENCE_MS);
  const old = contact.answered === 0 ? "nothing is known yet"
    : `figures are ${duration(Date.now() - contact.answered)} old`;
  const isOver = contact.error instanceof SessionOver;

  state.classList.toggle("lost", lost);
  document.body.classList.toggle("stale", lost);
  byId("reload").hidden = !lost || !isOver;
  setText(state, contact.paused ? `Paused, ${old}`
    : lost && isOver ? `Your session is over: ${contact.error.message}; ${old}`
      : lost ? `No answer for ${duration(silent_ms)}: ${contact.error?.message
        ?? STOPPED}; ${old}`
        : known.state === null ? "Asking the server …"
          : `Live, nginx ${known.state.nginx}${known.state.write ? "" : ", read only"}`);
}
