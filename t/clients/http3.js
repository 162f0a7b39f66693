// What http3.sh asks for, in a browser that speaks HTTP/3 alone.  Prints the Test
// Anything Protocol.
//
//   NODE_PATH=... node t/clients/http3.js PORT KEY ERROR-LOG
//
// KEY: the certificate's public key, as chromium takes it on trust.

"use strict";

const fs = require("node:fs");
const { chromium } = require("playwright-core");
const { becomes, check, end, same } = require("../page/lib.js");

const [port, key, errorLog] = process.argv.slice(2);

// In the page: requests one after the other, [status, X-RateLimit-Remaining,
// Retry-After, length] of each.
const ask = (page, requests) => page.evaluate(async (all) => {
  const answers = [];
  for (const [path, options] of all) {
    const answer = await fetch(path, { cache: "no-store", ...options });
    const field = (name) => answer.headers.get(name);
    answers.push([answer.status, field("x-ratelimit-remaining"), field("retry-after"),
      (await answer.text()).length]);
  }
  return answers;
}, requests);

async function used(policy, name) {
  const answer = await fetch(`http://127.0.0.1:${Number(port) + 1}/ratelimit/keys`
    + `?policy=${policy}&key=${name}`, { headers: { Accept: "application/json" } });
  const bucket = (await answer.json());
  return bucket.limit - bucket.remaining;
}

async function testDecisions(page) {
  const answers = await ask(page, Array(4).fill(["/requests?k=a"]));
  same(answers.map(([status]) => status), [200, 200, 200, 429], "the quota is admitted");
  same(answers.map(([, left]) => left), ["2", "1", "0", "0"], "each is told what is left");
  check(answers[3][2] === "3600", "and who is refused, when to come back", answers[3]);
  same(await page.evaluate(() => [...new Set(performance.getEntriesByType("resource")
    .filter((e) => e.name.includes("/requests")).map((e) => e.nextHopProtocol))]),
  ["h3"], "all of it over HTTP/3");

  const [[status]] = await ask(page,
    [["/requests?k=a", { method: "POST", body: "x".repeat(1000) }]]);
  same(status, 429, "a small upload that is refused has its answer");
}

async function testBytes(page) {
  const [[, , , length]] = await ask(page, [["/bytes/large.txt?k=b"]]);
  same(length, 300000, "a response of 300,000 bytes");
  check(await becomes(async () => await used("bytes", "b") >= 300000),
    "is charged when it has ended", await used("bytes", "b"));
  check(await used("bytes", "b") < 310000, "with its fields", await used("bytes", "b"));
}

async function testAborted(page) {
  await page.evaluate(() => {
    window.aborts = new AbortController();
    window.slow = fetch("/slow/large.txt?k=c", { signal: window.aborts.signal })
      .then((answer) => answer.text()).catch(() => "aborted");
  });
  check(await becomes(async () => (await ask(page, [["/slow/large.txt?k=c",
    { method: "HEAD" }]]))[0][0] === 429), "one request at once has the only place");
  await page.evaluate(() => window.aborts.abort());
  check(await becomes(async () => await used("places", "c") === 0),
    "which is free when its client aborts it", await used("places", "c"));
  const units = await used("bytes", "c");
  check(units > 1000 && units < 300000, "and what it has had is charged", units);
}

async function testTokens(page) {
  await ask(page, [["/tokens?k=d"], ["/tokens?k=d"]]);
  check(await becomes(async () => await used("tokens", "d") === 84),
    "tokens out of two bodies are charged", await used("tokens", "d"));
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", `--origin-to-force-quic-on=localhost:${port}`,
      `--ignore-certificate-errors-spki-list=${key}`,
      "--host-resolver-rules=MAP localhost 127.0.0.1"] });
  const page = await browser.newPage();
  await page.goto(`https://localhost:${port}/`);
  for (const test of [testDecisions, testBytes, testAborted, testTokens]) {
    await test(page);
  }
  await browser.close();
  check(!/\[(alert|emerg|crit)\]/.test(fs.readFileSync(errorLog, "utf8")),
    "nothing is wrong in the log");
})().then(() => end(), end);
