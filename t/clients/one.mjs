// One scenario: spends the quota, lets the client ask, and prints what came of
// it.  Where a scenario is `long`, timers of more than 2.5 s do not fire: the
// one that it looks for ends it, and nobody waits for an hour.

import { scenarios } from './scenarios.mjs';

const [name, port] = [process.argv[2], Number(process.argv[3])];
const scenario = scenarios[name];
const later = globalThis.setTimeout;
const waits = [];

const client = await scenario.load();
const url = `http://127.0.0.1:${port}/${scenario.at ?? 'unix'}/${name}`;
const result = {};

let found = () => {};
const wait = new Promise(resolve => { found = resolve; });

async function ask() {
    try {
        result.value = await scenario.run(client, url, port);
    } catch (error) {
        result.error = `${error.constructor.name}: ${error.message}`.slice(0, 200);
        result.status = error.status ?? error.statusCode ?? error.response?.status ?? error.code;
        result.thrown = error.thrown;
    }
}

if (scenario.spend !== false) {
    await (await fetch(url)).text();
}

if (scenario.long) {
    globalThis.setTimeout = (call, ms, ...rest) => {
        if (!(ms > 2500)) {
            return later(call, ms, ...rest);
        }
        waits.push(ms);
        if (scenario.long(ms)) {
            found();
        }
        return later(() => {}, 0);
    };
}

await Promise.race([ask(), wait, new Promise(resolve => later(resolve, 25000))]);

console.log(`RESULT ${JSON.stringify({ ...result, waits })}`);
process.exit(0);
