// Runs each scenario in a process of its own, all at once, and says of each
// whether the requests, as nginx has logged them, are those expected.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scenarios } from './scenarios.mjs';

const [port, dir] = [Number(process.argv[2]), process.argv[3]];
const names = Object.keys(scenarios);

function run(name) {
    return new Promise(resolve => {
        const child = spawn(process.execPath, [join(dir, 'one.mjs'), name, port],
            { stdio: ['ignore', 'pipe', 'pipe'] });
        let out = '', err = '';
        child.stdout.on('data', text => { out += text; });
        child.stderr.on('data', text => { err += text; });
        child.on('close', () => {
            const line = out.split('\n').find(text => text.startsWith('RESULT '));
            resolve(line ? JSON.parse(line.slice(7)) : { died: out + err });
        });
    });
}

// Four at a time: each takes as long to load as it then waits.
const results = {};
const queue = [...names];
await Promise.all([1, 2, 3, 4].map(async () => {
    while (queue.length) {
        const name = queue.shift();
        results[name] = await run(name);
    }
}));

const requests = {};
for (const line of readFileSync(join(dir, 'module/requests.log'), 'utf8').split('\n')) {
    const [who, status, at] = line.split(' ');
    (requests[who] ??= []).push({ status: Number(status), at: Number(at) * 1000 });
}

let n = 0;
for (const name of names) {
    const { title, expect } = scenarios[name];
    const result = { waits: [], ...results[name], requests: requests[name] ?? [] };
    result.statuses = result.requests.map(request => request.status).join(' ');
    let right = false;
    try {
        right = !result.died && expect(result);
    } catch (error) {
        result.error = String(error);
    }
    n++;
    console.log(`${right ? 'ok' : 'not ok'} ${n} - ${title}`);
    if (!right) {
        console.error(`# ${title}: ${JSON.stringify(result)}`);
    }
}
console.log(`1..${n}`);
