// What the browser's tests share: checks, requests, pages.

"use strict";

const http = require("node:http");

let ran = 0;

function check(ok, name, detail) {
  ran += 1;
  console.log(`${ok ? "ok" : "not ok"} ${ran} - ${name}`);
  if (!ok && detail !== undefined) {
    console.error(`# ${JSON.stringify(detail)}`);
  }
}

const same = (is, shouldBe, name) =>
  check(JSON.stringify(is) === JSON.stringify(shouldBe), name, { is, shouldBe });

function end(error) {
  if (error) {
    console.error(`# ${error.stack}`);
    check(false, "the test itself");
  }
  console.log(`1..${ran}`);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Whether that becomes true, on a machine that may have more to do.
async function becomes(condition) {
  for (let tries = 0; tries < 90; ++tries) {
    if (await condition()) {
      return true;
    }
    await sleep(100);
  }
  return false;
}

// The status of a request; with a key of its own.
function get(url, key = "nobody", headers = {}) {
  return new Promise((resolve, reject) => {
    http.get(url, { headers: { "X-Key": key, ...headers } }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    }).on("error", reject);
  });
}

// The statuses of n requests, one after the other.
async function repeat(n, ...request) {
  const statuses = [];
  for (let i = 0; i < n; ++i) {
    statuses.push(await get(...request));
  }
  return statuses;
}

// A page that keeps what went wrong in it.  What went on before it was opened
// is as `past` has it, policies of the API's history.
async function open(browser, url, { past = [], ...options } = {}) {
  const context = await browser.newContext(
    { viewport: { width: 1200, height: 900 }, locale: "en-US", ...options });
  const page = await context.newPage();
  page.wrong = [];
  page.writes = [];
  page.on("console", (message) => page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${new URL(url).origin}/`)) {
      page.wrong.push(`asks ${request.url()}`);
    }
    if (request.method() !== "GET") {
      page.writes.push(`${request.method()} ${new URL(request.url()).pathname}`);
    }
  });
  await page.route("**/history", (route) =>
    route.fulfill({ json: { now_ms: Date.now(), policies: past } }));
  await page.goto(url);
  await page.locator("#state").getByText(/^Live/).waitFor();
  return page;
}

const rowOf = (page, table, text) =>
  page.locator(`#${table} tbody tr`).filter({ hasText: text });

const cardOf = (page, policy) => page.locator("#policies article").filter(
  { has: page.getByRole("heading", { name: policy, exact: true }) });

const figure = async (page, policy, name) => {
  const text = await cardOf(page, policy).locator(`[data-count="${name}"]`)
    .textContent();
  return Number(text.replaceAll(",", ""));
};

module.exports = { becomes, cardOf, check, end, figure, get, open, repeat, rowOf,
  same, sleep };
