// What an operator sees: which policies matter, how old the figures are, and
// all of it on every screen.

"use strict";

const fs = require("node:fs");
const axe = require("axe-core");
const { becomes, cardOf, check, get, open, repeat, rowOf, same } =
  require("./lib.js");

const LONG = "policy_whose_name_has_sixty_characters_as_some_generators_do_"
  .slice(0, 60);

const names = (page) => page.locator("#policies article h3").allTextContents();

// What stands out of a page that is to be so wide.  A phone makes its window
// wider for it, so that this says nothing of the page.
const tooWide = (page, width) => page.evaluate((most) =>
  [...document.querySelectorAll("body *")].filter((e) =>
    e.checkVisibility() && !e.closest(".hidden, .skip")
      && e.getBoundingClientRect().right > most + 0.5)
    .map((e) => `${e.tagName} ${e.id} ${e.className}`)
    .concat(document.documentElement.scrollWidth > most ? ["scrolls"] : []), width);

// Leaves few of the cards and rows that are alike: axe looks at every part of
// each.
async function thin(page) {
  await page.getByRole("button", { name: "Pause" }).click();
  await page.evaluate(() => {
    for (const like of ["[data-condition=calm]", "#top-refused tbody tr",
      "#top-admitted tbody tr"]) {
      for (const one of [...document.querySelectorAll(like)].slice(4)) {
        one.remove();
      }
    }
  });
}

// What axe has to say of the page as it stands, or of a part of it.
async function checkAxe(page, name, part = "html") {
  // As an argument, and not as an element: the page lets in no script.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((selector) =>
    window.axe.run(selector), part);
  same(violations.map((one) => [one.id, one.nodes.map((node) => node.html)]),
    [], `axe finds nothing: ${name}`);
}

async function prepare(many) {
  await repeat(4, `${many}/trial`, "tried");
  await repeat(85, `${many}/near`, "almost");
  await repeat(6, `${many}/plan`, "paying", { "X-Quota": "2/1h" });
  for (let i = 0; i < 14; ++i) {
    await repeat(11, `${many}/long`, `crawler-${i}`);
  }
  await repeat(2, `${many}/probed`, "prober");
}

async function testSummary(page) {
  const text = await page.textContent("#summary");
  check(/^3 of 32 policies refuse: 16 keys, since .*; 1 key near its quota\.$/
    .test(text), "a line tells how bad it is", text);
  same((await names(page)).slice(0, 5), ["plan", LONG, "probed", "near", "trial"],
    "policies that refuse stand first, then those near it, then dry runs");
  check(/^refuses 14 keys since /.test(
    await cardOf(page, LONG).locator(".condition").textContent()),
  "a card says what is the matter");
  same(await cardOf(page, "near").locator(".condition").textContent(),
    "1 key near its quota", "and what is about to be");
  same(await cardOf(page, "calm_10").locator(".condition").textContent(), "",
    "and nothing where nothing is");
}

async function testShare(page, many) {
  // Two answers of the server make a rate: 4 are refused, 12 admitted.
  await Promise.all([repeat(4, `${many}/long`, "crawler-0"),
    repeat(10, `${many}/long`, "new-1"), repeat(2, `${many}/long`, "new-2")]);
  await page.locator("#summary").getByText(/25% of their requests/).waitFor();
  check(true, "and how many of their requests");
}

// Which keys are admitted most is an estimate, but the filter finds them all.
async function testNear(page) {
  await page.fill("#filter", "near");
  const fill = rowOf(page, "top-admitted", "near").locator(".fill");
  same(await fill.evaluate((e) => [e.className, e.textContent]),
    ["fill near", "85 of 100"], "a key near its quota is amber");
  await page.fill("#filter", "plan");
  const full = rowOf(page, "top-refused", "plan").locator(".fill");
  same(await full.evaluate((e) => [e.className, e.textContent]),
    ["fill full", "2 of 2"], "one that has used it up is red");
  await page.fill("#filter", "");
}

async function testDryRun(page) {
  same(await rowOf(page, "top-refused", "trial").count(), 0,
    "a key that only a dry run refuses is not among those refused");
  const row = rowOf(page, "top-dry", "trial");
  same(await row.count(), 1, "but among its own");
  same(await row.getByRole("button").allTextContents(), ["Show"],
    "where nobody needs to be let through");
  await row.getByRole("button").click();
  await page.locator("#found").getByText("Would be refused").waitFor();
  check(true, "its card says so too");
}

async function testView(page) {
  await page.fill("#filter", "calm 17");
  same(await names(page), ["calm_17"], "a filter leaves what has all its words");
  await page.getByText("The filter leaves none.").first().waitFor();
  check(await page.textContent("#summary") !== "", "but not the line");
  await page.fill("#filter", "");
  await page.selectOption("#sort", "name");
  same((await names(page)).slice(0, 2), ["calm_10", "calm_11"],
    "policies are sorted by name");
  await page.selectOption("#sort", "configured");
  same((await names(page)).slice(-1), ["probed"], "and as configured");
  await page.selectOption("#sort", "trouble");

  same(await page.locator("#top-refused tbody tr").count(), 10,
    "ten refused keys are shown");
  same(await page.locator("#top-refused-more").textContent(), "Show 6 more",
    "and how many there are");
  await page.locator("#top-refused-more").click();
  same(await page.locator("#top-refused tbody tr").count(), 16, "more on demand");
  same(await page.locator("#top-refused-more").isVisible(), false,
    "until there are no more");

  const first = () => page.locator("#top-refused tbody td").first().textContent();
  const policy = page.locator("#top-refused th").first();
  await policy.getByRole("button").click();
  same([await first(), await policy.getAttribute("aria-sort")],
    ["plan", "descending"], "keys are sorted by a column");
  await policy.getByRole("button").click();
  same([await first(), await policy.getAttribute("aria-sort")],
    ["probed", "ascending"], "and the other way round");

  await page.getByRole("button", { name: `Keys of ${LONG}`,
    exact: true }).click();
  same([await page.locator("#top-refused tbody tr").count(), await names(page)],
    [14, [LONG]], "a policy leads to its keys");
  await page.fill("#filter", "");
}

// A quota that is a variable's: what the last request had, or an override.
async function testVariableQuota(page, many) {
  const row = rowOf(page, "top-refused", "plan");
  await row.getByRole("button", { name: /^Let through/ }).click();
  await page.locator("#ask-yes").click();
  await row.getByText("unlimited by an override").waitFor();
  check(true, "an override of a variable quota shows");
  same(await get(`${many}/plan`, "paying", { "X-Quota": "2/1h" }), 200,
    "and holds");
  await rowOf(page, "overrides", "plan").getByRole("button").click();
  await checkAxe(page, "dialog", "#ask");
  await page.locator("#ask-yes").click();
  await page.locator("#overrides-none").waitFor();
  await row.getByText(/^\d+ min$/).first().waitFor();
  check(true, "until it is removed");
}

// Somebody in front of nginx wants a new sign-in.
async function testSession(page, many) {
  const state = page.locator("#state");
  for (const [session, text] of [["redirected", "redirects to another page"],
    ["page", "a page came in the place of JSON"],
    ["unauthorized", "asks for a user name"]]) {
    await page.context().addCookies([{ name: "session", value: session,
      url: many }]);
    await state.getByText(/^Your session is over: /).getByText(text).waitFor();
    check(/figures are \d+ (s|min) old$/.test(await state.textContent()),
      `a session that is over is told: ${session}`, await state.textContent());
    check(await page.getByRole("button", { name: "Reload" }).isVisible(),
      "with a way to sign in");
  }
  await page.context().clearCookies();
  await state.getByText(/^Live/).waitFor();
  check(!await page.getByRole("button", { name: "Reload" }).isVisible(),
    "and no longer once it goes on");
}

const signalWorkers = (dir, signal) => {
  const master = fs.readFileSync(`${dir}/many/nginx.pid`, "utf8").trim();
  for (const pid of fs.readFileSync(`/proc/${master}/task/${master}/children`,
    "utf8").trim().split(" ")) {
    process.kill(Number(pid), signal);
  }
};

async function testFrozen(page, dir) {
  const state = page.locator("#state");
  signalWorkers(dir, "SIGSTOP");
  try {
    await state.getByText(/^No answer for \d+ s/).waitFor({ timeout: 9000 });
    const text = await state.textContent();
    check(/^No answer for [5-8] s: nginx's workers are busy or stopped; figures are ([5-9]|1\d) s old$/.test(text),
      "workers that are stopped are told, with the age of what is shown", text);
    check(await page.evaluate(() => document.body.className) === "stale",
      "which is marked as old");
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    check(await state.evaluate((e) => e.getBoundingClientRect().top >= 0),
      "wherever one has scrolled to");
    await page.screenshot({ path: `${dir}/frozen.png` });
    check(await becomes(async () => await state.textContent() !== text),
      "the age grows");
  } finally {
    signalWorkers(dir, "SIGCONT");
  }
  await state.getByText(/^Live/).waitFor();
  check(true, "until they go on");
}

async function testScreens(browser, dir, many) {
  const backs = [];
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, `${many}/ratelimit/`, { colorScheme });
    backs.push(await page.evaluate(() =>
      getComputedStyle(document.body).backgroundColor));
    await page.screenshot({ path: `${dir}/${colorScheme}.png`, fullPage: true });
    same(await tooWide(page, 1200), [], "long names stay within the page");
    await thin(page);
    await checkAxe(page, colorScheme);
    await page.context().close();
  }
  check(backs[0] !== backs[1], "light and dark", backs);

  for (const width of [360, 320]) {
    const page = await open(browser, `${many}/ratelimit/`, { isMobile: true,
      hasTouch: true, viewport: { width, height: 740 } });
    check(await page.locator("#bans tbody tr").isVisible(),
      "who is banned is seen there");
    same(await tooWide(page, width), [], `${width} pixels need no scrolling sideways`);
    await thin(page);
    await page.screenshot({ path: `${dir}/phone-${width}.png`, fullPage: true });
    await checkAxe(page, `phone of ${width} pixels`);
    same(page.wrong, [], "no complaint of the browser there");
    await page.context().close();
  }
}

async function testForcedColors(browser, dir, many) {
  const page = await open(browser, `${many}/ratelimit/`, { forcedColors: "active" });
  const lift = rowOf(page, "bans", "probed").getByRole("button", { name: /^Lift/ });
  const [back, border] = await lift.evaluate((e) =>
    [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderTopColor]);
  check(back !== border, "under forced colours a ban can be seen and lifted", { back, border });
  await page.fill("#filter", "near");
  const bar = rowOf(page, "top-admitted", "near").locator(".bar");
  const [of, on] = await bar.evaluate((e) => [e, e.parentElement].map((one) =>
    getComputedStyle(one).backgroundColor));
  check(of !== on, "bars are seen under forced colours", { of, on });
  await page.screenshot({ path: `${dir}/forced.png` });
  await page.context().close();
}

async function testLocale(browser, many) {
  const page = await open(browser, `${many}/ratelimit/`, { locale: "de-DE" });
  await page.locator("#zones").getByText(/^\d{1,3}\.\d{3}$/).first().waitFor();
  check(true, "figures are written as the browser's user does");
  await page.context().close();
}

async function testEmpty(browser, dir, empty) {
  const page = await open(browser, `${empty}/ratelimit/`);
  same(await page.textContent("#summary"), "No policy is configured.",
    "an nginx without policies is told as such");
  same(await page.locator("form:visible").count(), 0, "and has nothing to fill in");
  await page.screenshot({ path: `${dir}/empty.png`, fullPage: true });
  await checkAxe(page, "empty");
  same(page.wrong, [], "no complaint of the browser there");
  await page.context().close();
}

async function testSights(browser, dir, many, empty) {
  await prepare(many);
  const page = await open(browser, `${many}/ratelimit`);
  for (const test of [testSummary, testNear, testDryRun, testView, testShare,
    testVariableQuota]) {
    await test(page, many);
  }
  await page.getByRole("button", { name: "Pause" }).click();
  await testScreens(browser, dir, many);
  await testForcedColors(browser, dir, many);
  await testLocale(browser, many);
  await testEmpty(browser, dir, empty);
  same(page.wrong, [], "no complaint of the browser with many policies");
  await page.getByRole("button", { name: "Resume" }).click();
  await testSession(page, many);
  await testFrozen(page, dir);
  await page.context().close();
}

module.exports = { testSights };
