// The page of ratelimit_api in a real browser, against running nginxes.  Prints
// the Test Anything Protocol.
//
//   NODE_PATH=... node t/page/page.js DIR DAY MANY EMPTY
//
// The servers are those of browser.sh; DIR has a folder of each, and gets the
// screenshots.  This file has what an operator does, sights.js what he sees.

"use strict";

const { chromium } = require("playwright-core");
const { testSights } = require("./sights.js");
const { becomes, cardOf, check, end, figure, get, open, repeat, rowOf, same,
  sleep } = require("./lib.js");

const [dir, server, many, empty] = process.argv.slice(2);
const browserPath = process.env.CHROMIUM ?? "/usr/bin/chromium";

// Requests until it is told to stop.
function load() {
  let goes = true;
  (async () => {
    for (let i = 0; goes; ++i) {
      await get(`${server}/token`, `customer-${i % 5}`).catch(() => {});
      await sleep(5);
    }
  })();
  return () => { goes = false; };
}

async function testShowing(page) {
  check((await page.title()) === "Rate limits", "the title");
  check((await page.textContent("#state")).startsWith("Live, nginx 1."),
    "it says that it is live");

  const before = await figure(page, "token", "admitted");
  check(await becomes(async () => await figure(page, "token", "admitted")
    > before + 100), "figures move under load", before);
  check((await page.locator("#policies article path.admitted").first()
    .getAttribute("d")).startsWith("M"), "a chart is drawn");

  same(await rowOf(page, "top-refused", "strict").count(), 1, "a refused key is listed");
  check(/^Who-victim [0-9a-f]{16}$/.test(await rowOf(page, "top-refused", "strict")
    .locator("td").nth(1).textContent()), "by its label, and its id");
  check(await page.locator("#top-admitted tbody tr").count() >= 5,
    "so are those that are admitted most");
  same(await rowOf(page, "zones", "<b>zone</b>").count(), 1,
    "a zone's name is shown as it is");
  same(await page.locator("main b").count(), 0, "and not taken for HTML");
}

// An hour that ended just now, of which one minute in ten was bad.
async function testPast(browser) {
  const now_s = Math.floor(Date.now() / 1000);
  const samples = [...Array(360).keys()].map((i) =>
    [now_s - 3600 + 10 * i, 10, 100, i % 60 < 6 ? 50 : 0, 0, 0]);
  const page = await open(browser, `${server}/ratelimit/`,
    { past: [{ name: "pair", zone: "<b>zone</b>", samples }] });
  const chart = (kind) => cardOf(page, "pair").locator(`path.${kind}`)
    .getAttribute("d");
  const admitted = await chart("admitted");
  check(admitted.split("L").length > 700 && admitted.startsWith("M"),
    "a page opens with the last hour", admitted.slice(0, 80));
  check((await chart("refused")).startsWith("M"), "refusals included");
  same(await cardOf(page, "pair").locator(".top").textContent(), "15/s",
    "and the most that there was");
  await page.context().close();

  const other = await browser.newContext();
  const asked = await (await other.request.get(`${server}/ratelimit/history`)).json();
  same(asked.policies.map((policy) => policy.name), ["token", "strict", "login", "pair"],
    "which the server tells of each policy");
  await other.close();
}

async function testReset(page) {
  same(await get(`${server}/strict`, "victim"), 429, "a key is refused");
  const row = rowOf(page, "top-refused", "strict");
  const button = row.getByRole("button", { name: /^Reset/ });

  await button.focus();
  await page.keyboard.press("Enter");
  check(await page.locator("#ask").isVisible(), "Enter on Reset asks first");
  same(await page.evaluate(() => document.activeElement.id), "ask-no",
    "with Cancel under the finger");
  await page.keyboard.press("Escape");
  await page.locator("#ask").waitFor({ state: "hidden" });
  same(page.writes, [], "Escape writes nothing");
  same(await page.evaluate(() => document.activeElement.textContent), "Reset",
    "and the focus is where it was");

  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.locator("#ask").waitFor({ state: "hidden" });
  same(page.writes, [], "Enter on Cancel writes nothing");

  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#message.done").waitFor();
  same(page.writes, ["DELETE /ratelimit/keys"], "confirmed, it resets the key");
  same(await get(`${server}/strict`, "victim"), 200, "which is admitted again");
  same(await get(`${server}/strict`, "victim"), 429, "once");
}

async function testResetAll(page) {
  await repeat(2, `${server}/strict`, "another");
  page.writes.length = 0;
  const button = cardOf(page, "strict").getByRole("button", { name: /^Reset all/ });
  await button.click();
  check((await page.textContent("#ask-title")).includes("strict"),
    "resetting a policy asks first, and says which");
  await page.locator("#ask-no").click();
  same([page.writes, await get(`${server}/strict`, "another")], [[], 429],
    "Cancel resets nobody");
  await button.click();
  await page.locator("#ask-yes").click();
  await page.getByText("Reset all keys of strict.").waitFor();
  same(page.writes, ["DELETE /ratelimit/keys"], "confirmed, it does by one request");
  same([await get(`${server}/strict`, "another"), await get(`${server}/strict`, "victim")],
    [200, 200], "all keys have their quota again");
  await page.getByRole("button", { name: "Dismiss" }).click();
  check(!await page.locator("#message").isVisible(), "what was said can be put away");
  page.writes.length = 0;
}

async function testBans(page) {
  same(await page.locator("#bans-section").isVisible(), false,
    "where nobody was ever banned nothing tells of bans");
  const since = Date.now();
  same(await repeat(2, `${server}/login`, "intruder"), [200, 429], "a key is banned");
  const row = rowOf(page, "bans", "Who-intruder");
  await row.waitFor();
  const [policy, id, , until, left, which] =
    await row.locator("td").allTextContents();
  check(policy === "login" && /^Who-intruder [0-9a-f]{16}$/.test(id),
    "it is listed, by its policy, label and id", [policy, id]);
  same([left, which], ["10 min", "no. 1, 10 min"],
    "for how long, and the how manieth time");
  const times = [];
  for (let at_s = Math.floor(since / 1000) + 599;
    at_s <= Date.now() / 1000 + 601; ++at_s) {
    times.push(new Date(at_s * 1000).toLocaleString("en-US", {
      month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
      second: "2-digit" }));
  }
  check(times.includes(until), "until when, by the browser's clock", { until, times });
  await cardOf(page, "login").getByText(/1 ban so far, 1 key banned now/).waitFor();
  check(true, "its policy's card counts it");

  await row.getByRole("button", { name: /^Lift/ }).click();
  check((await page.textContent("#ask-text")).includes("Who-intruder"),
    "lifting asks first, and says whose ban");
  await page.keyboard.press("Escape");
  await page.locator("#ask").waitFor({ state: "hidden" });
  same([page.writes, await get(`${server}/login`, "intruder")], [[], 429],
    "Escape lifts nothing");
  await row.getByRole("button", { name: /^Lift/ }).click();
  await page.locator("#ask-yes").click();
  await page.getByText("Lifted the ban of key Who-intruder").waitFor();
  await page.locator("#bans-none").getByText("Nobody is banned now.").waitFor();
  same(page.writes, ["DELETE /ratelimit/bans"], "confirmed, it does by one request");
  same(await repeat(2, `${server}/login`, "intruder"), [200, 429],
    "and the key has its quota again");
  await row.waitFor();
  page.writes.length = 0;
}

async function testState(page) {
  await page.locator("#zones tbody tr").filter({ hasText: "api" })
    .getByText(/^\d+ s ago$/).waitFor();
  check(true, "when a zone was written to disk last");
  await rowOf(page, "zones", "<b>zone</b>").getByText("no file").waitFor();
  check(true, "and that it is not");
}

async function testLookUp(page) {
  await page.selectOption("#look-policy", "strict");
  await page.getByLabel("$http_x_key").fill("victim");
  await page.keyboard.press("Enter");
  const card = page.locator("#found .card");
  await card.waitFor();
  const text = await card.textContent();
  check(text.includes("strict, zone api") && text.includes("1 in 1h"),
    "a key is found by its value", text);
  check(text.includes("Remaining0"), "and said to have nothing left", text);

  const id = await card.locator("dd").first().textContent();
  await page.getByLabel("or key id").fill("0123456789abcdef");
  await page.getByRole("button", { name: "Find", exact: true }).click();
  await card.getByText("never, or long ago").waitFor();
  check(true, "an id that nobody has");
  await page.getByLabel("or key id").fill(id);
  await page.keyboard.press("Enter");
  await card.getByText("Remaining").waitFor();
  await card.getByText(/times since/).waitFor();
  check(true, "a key is found by its id");

  await page.getByLabel("or key id").fill("");
  await page.getByLabel("$http_x_key").fill("");
  await page.keyboard.press("Enter");
  await page.getByText("an empty key is never counted").waitFor();
  check(true, "what the server complains of is shown");

  await page.selectOption("#look-policy", "pair");
  same(await page.locator("#look-parts input").count(), 2,
    "a compound key has an input for each part");
}

async function testOverrides(page) {
  page.writes.length = 0;
  const row = rowOf(page, "top-refused", "Who-victim");
  await row.getByRole("button", { name: /^Let through/ }).click();
  await page.locator("#ask-yes").click();
  await page.locator("#overrides tbody tr").first().waitFor();
  same([await get(`${server}/strict`, "victim"), await get(`${server}/strict`, "victim")],
    [200, 200], "a customer is let through");
  await row.getByText("unlimited by an override").waitFor();
  check(true, "and its row says so");

  await rowOf(page, "overrides", "unlimited").getByRole("button").click();
  await page.locator("#ask-yes").click();
  await page.locator("#overrides-none").waitFor();
  same(await get(`${server}/strict`, "victim"), 429, "until the override is removed");

  await page.selectOption("#override-of", "policy=strict");
  await page.fill("#override-scale", "300");
  await page.locator("#override").getByRole("button", { name: "Set" }).click();
  await page.locator("#ask-yes").click();
  await rowOf(page, "overrides", "policy strict").waitFor();
  same([await get(`${server}/strict`, "victim"), await get(`${server}/strict`, "victim"),
    await get(`${server}/strict`, "victim")], [200, 200, 429], "a policy is scaled");
  await rowOf(page, "overrides", "policy strict").getByRole("button").click();
  await page.locator("#ask-yes").click();
  await page.locator("#overrides-none").waitFor();
  same(page.writes, ["PUT /ratelimit/overrides", "DELETE /ratelimit/overrides",
    "PUT /ratelimit/overrides", "DELETE /ratelimit/overrides"], "by four requests");
}

async function testKeyboard(page) {
  await page.evaluate(() => document.querySelector(".skip").focus());
  const seen = new Set();
  for (let i = 0; i < 200 && !seen.has("metrics"); ++i) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => {
      const e = document.activeElement;
      return e.id || e.textContent;
    }));
  }
  const missing = ["filter", "sort", "pause", "Show", "Reset", "Let through", "Lift",
    "look-policy",
    "look-id", "Find", "override-of", "override-scale", "Set", "metrics"]
    .filter((name) => !seen.has(name));
  same(missing, [], "everything can be reached by the keyboard");
  same(await page.evaluate(() => [...document.querySelectorAll(
    "input, select, button")].filter((e) => e.checkVisibility() && !e.labels?.length
      && !e.textContent.trim()).map((e) => e.outerHTML)), [],
  "and everything has a name");
}

async function testPause(page) {
  await page.getByRole("button", { name: "Pause" }).click();
  await sleep(1500); // for an answer that is under way
  const before = await figure(page, "token", "admitted");
  await sleep(3000);
  same(await figure(page, "token", "admitted"), before, "Pause stops the figures");
  await page.getByRole("button", { name: "Resume" }).click();
  check(await becomes(async () => await figure(page, "token", "admitted") > before),
    "and they go on");
}

// What others' pages, or a hole in this one, could do.
async function testSecurity(browser, page) {
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.pwned = 1";
    document.body.append(script);
    document.body.insertAdjacentHTML("beforeend",
      "<img src='x' onerror='window.pwned = 1'>");
  });
  await sleep(300);
  same(await page.evaluate(() => window.pwned), undefined,
    "a script that was slipped in does not run");

  await get(`${server}/strict`, "prey");
  const context = await browser.newContext();
  const other = await context.newPage();
  await other.goto(`${server.replace("127.0.0.1", "localhost")}/elsewhere`);
  const tried = await other.evaluate(async (url) => {
    const answers = [];
    for (const mode of ["cors", "no-cors"]) {
      answers.push(await fetch(url, { method: "DELETE", mode }).then(
        (response) => response.status, () => "blocked"));
    }
    return answers;
  }, `${server}/ratelimit/keys?policy=strict&key=prey`);
  same(tried, ["blocked", "blocked"], "another origin's page cannot write");
  same(await get(`${server}/strict`, "prey"), 429, "nothing was reset");
  await context.close();
}

async function testReadOnly(browser) {
  const page = await open(browser, `${server}/readonly`);
  await page.getByText("read only").waitFor();
  same(await page.getByRole("button", { name: /Reset|Let through|Lift|Set|Remove/ })
    .count(), 0, "without write=on there is no button that writes");
  await rowOf(page, "top-refused", "Who-victim").getByRole("button", { name: /Show/ })
    .click();
  await page.locator("#found .card").waitFor();
  same(await page.locator("#found button").count(), 0, "nor in a key's card");
  same(page.wrong, [], "no complaint of the browser there");
  await page.context().close();
}

// Everything that an operator does, with one page that stays open.
async function testDeeds(browser) {
  const page = await open(browser, `${server}/ratelimit`);
  for (const test of [testShowing, testReset, testResetAll, testBans, testState,
    testLookUp, testOverrides, testKeyboard, testPause]) {
    await test(page);
  }
  // The 400 that was provoked; what the browser says of a failed request.
  same(page.wrong.filter((text) => !text.includes("400 (Bad Request)")), [],
    "no error in the console, no request to elsewhere");
  await testPast(browser);
  await testReadOnly(browser);
  await testSecurity(browser, page);
}

async function main() {
  await repeat(4, `${server}/strict`, "victim");
  const stop = load();
  const browser = await chromium.launch({ executablePath: browserPath,
    args: ["--no-sandbox", "--no-proxy-server"] });
  await Promise.all([testDeeds(browser), testSights(browser, dir, many, empty)]);
  stop();
  await browser.close();
}

main().then(() => end(), (error) => {
  end(error);
  process.exit(1);
});
