// What each client is expected to do.  In `expect`, statuses are those of all
// its requests, the first being the one that has used the quota up.

// Refused once, and served when it had waited for as long as it was told to.
const obeys = ({ statuses, requests, error }) => !error && statuses === '200 429 200'
    && requests[2].at - requests[1].at > 1000;

// Told to wait for what is left of 2.1 s, where seconds would have to say 3.
const obeysMilliseconds = ({ statuses, requests, error }) => !error
    && statuses === '200 429 200' && requests[2].at - requests[1].at < 2900;

// 25 calls at once, of which five are served in two seconds.  What the module
// can do is that none of them has to ask three times.
const herd = ask => async (client, url) => {
    const calls = await Promise.allSettled(Array.from({ length: 25 }, () => ask(client, url)));
    return calls.filter(call => call.status === 'fulfilled').length;
};
const served = (least, most, requests) => result => result.value >= least
    && result.value <= most && result.requests.length >= requests[0]
    && result.requests.length <= requests[1];

const waitsFor = (least, most) => ms => ms >= least && ms <= most;
const hasWaited = (least, most) => ({ statuses, waits }) => statuses === '200 429'
    && waits.some(waitsFor(least, most));

const hour = [3590000, 3600000 * 1.21];
const days20 = [1728000000, 1728000000 * 1.21];
const seconds59 = [58000, 59000];

const load = {
    got: async () => (await import('got')).default,
    ky: async () => (await import('ky')).default,
    axiosRetry: async () => {
        const { default: axios } = await import('axios');
        const { default: axiosRetry } = await import('axios-retry');
        const client = axios.create();
        axiosRetry(client, { retries: 3 });
        return client;
    },
    retryAxios: async () => {
        const { default: axios } = await import('axios');
        const rax = await import('retry-axios');
        const client = axios.create();
        client.defaults.raxConfig = {};
        rax.attach(client);
        return client;
    },
    undici: async () => {
        const { request, Agent, RetryAgent } = await import('undici');
        return url => request(url, { dispatcher: new RetryAgent(new Agent()) });
    },
    azure: async () => {
        const azure = await import('@azure/core-rest-pipeline');
        const pipeline = azure.createPipelineFromOptions({});
        const http = azure.createDefaultHttpClient();
        return url => pipeline.sendRequest(http,
            azure.createPipelineRequest({ url, allowInsecureConnection: true }));
    },
    openai: async () => (await import('openai')).default,
    openai5: async () => (await import('openai5')).default,
    anthropic: async () => (await import('@anthropic-ai/sdk')).default,
    ai: async () => ({ ...await import('ai'), ...await import('@ai-sdk/openai-compatible') }),
    octokit: async () => {
        const { Octokit } = await import('@octokit/core');
        const { throttling } = await import('@octokit/plugin-throttling');
        return Octokit.plugin(throttling);
    },
};

const openai = (OpenAI, url) => new OpenAI({ apiKey: 'key', baseURL: url }).models.list();
const ai = (ai, url) => ai.generateText({
    model: ai.createOpenAICompatible({ name: 'x', baseURL: url })('m'), prompt: 'x' });
const octokit = (Octokit, url) => new Octokit({
    baseUrl: url,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    throttle: {
        onRateLimit: (after, options, client, count) => count < 3,
        onSecondaryRateLimit: () => false,
    },
}).request('GET /x');

export const scenarios = {
    got: {
        title: 'got 14.6.6 obeys Retry-After',
        load: load.got, run: (got, url) => got(url).text(), expect: obeys,
    },
    got_month: {
        title: 'got 14.6.6 waits for 20 days, where 30 would make it hammer',
        at: 'month', load: load.got, run: (got, url) => got(url).text(),
        long: waitsFor(...days20), expect: hasWaited(...days20),
    },
    ky: {
        title: 'ky 1.14.3 obeys Retry-After',
        load: load.ky, run: (ky, url) => ky(url).text(), expect: obeys,
    },
    axios_retry: {
        title: 'axios-retry 4.5.0 obeys Retry-After',
        load: load.axiosRetry, run: async (axios, url) => (await axios.get(url)).status,
        expect: obeys,
    },
    axios_retry_month: {
        title: 'axios-retry 4.5.0 waits for 20 days and 20 % of it',
        at: 'month', load: load.axiosRetry,
        run: async (axios, url) => (await axios.get(url)).status,
        long: waitsFor(...days20), expect: hasWaited(...days20),
    },
    retry_axios: {
        title: 'retry-axios 4.0.3 obeys Retry-After',
        load: load.retryAxios, run: async (axios, url) => (await axios.get(url)).status,
        expect: obeys,
    },
    undici: {
        title: 'undici 7.30.2, RetryAgent, obeys Retry-After',
        load: load.undici, run: async (request, url) => (await request(url)).statusCode,
        expect: obeys,
    },
    azure: {
        title: '@azure/core-rest-pipeline 1.24.0 obeys retry-after-ms',
        at: 'ms', load: load.azure, run: async (send, url) => (await send(url)).status,
        expect: obeysMilliseconds,
    },
    azure_month: {
        title: '@azure/core-rest-pipeline 1.24.0 waits for 20 days',
        at: 'month', load: load.azure, run: async (send, url) => (await send(url)).status,
        long: waitsFor(...days20), expect: hasWaited(...days20),
    },
    openai: {
        title: 'openai 6.49.0 obeys Retry-After',
        load: load.openai, run: async (c, url) => { await openai(c, url); }, expect: obeys,
    },
    openai_ms: {
        title: 'openai 6.49.0 obeys retry-after-ms',
        at: 'ms', load: load.openai, run: async (c, url) => { await openai(c, url); },
        expect: obeysMilliseconds,
    },
    openai_hour: {
        title: 'openai 6.49.0 waits for an hour',
        at: 'hour', load: load.openai, run: async (c, url) => { await openai(c, url); },
        long: waitsFor(...hour), expect: hasWaited(...hour),
    },
    openai_stop: {
        title: 'openai 6.49.0 gives up at once where x-should-retry says so',
        at: 'hourstop', load: load.openai, run: async (c, url) => { await openai(c, url); },
        expect: ({ statuses, status }) => statuses === '200 429' && status === 429,
    },
    openai5_hour: {
        title: 'openai 5.23.2 does not believe 60 s and more, and gives up within seconds',
        at: 'hour', load: load.openai5, run: async (c, url) => { await openai(c, url); },
        expect: ({ statuses, status }) => statuses === '200 429 429 429' && status === 429,
    },
    openai5_max: {
        title: 'openai 5.23.2 waits with retry_after_max=59s',
        at: 'hour59', load: load.openai5, run: async (c, url) => { await openai(c, url); },
        long: waitsFor(...seconds59), expect: hasWaited(...seconds59),
    },
    anthropic: {
        title: '@anthropic-ai/sdk 1.14.0 obeys Retry-After',
        load: load.anthropic, expect: obeys,
        run: async (Anthropic, url) => {
            await new Anthropic({ apiKey: 'key', baseURL: url }).models.list();
        },
    },
    ai_hour: {
        title: 'ai 6.0.326 does not believe 60 s and more, and gives up within seconds',
        at: 'hour', load: load.ai, run: ai,
        expect: ({ statuses, error }) => statuses === '200 429 429 429' && /RetryError/.test(error),
    },
    ai_max: {
        title: 'ai 6.0.326 waits with retry_after_max=59s',
        at: 'hour59', load: load.ai, run: ai,
        long: waitsFor(...seconds59), expect: hasWaited(...seconds59),
    },
    octokit_unix: {
        title: '@octokit/plugin-throttling 11.0.5 obeys reset=unix',
        load: load.octokit, run: async (c, url) => (await octokit(c, url)).status, expect: obeys,
    },
    octokit_delta: {
        title: '@octokit/plugin-throttling 11.0.5 takes reset=delta for 1970 and asks at once',
        at: 'delta', load: load.octokit, run: async (c, url) => (await octokit(c, url)).status,
        expect: ({ requests }) => requests.filter(({ status }) => status === 429).length >= 2
            && requests[2].at - requests[1].at < 1500,
    },
    slack: {
        title: '@slack/web-api 8.2.0 obeys Retry-After',
        load: async () => (await import('@slack/web-api')).WebClient,
        run: async (WebClient, url) => (await new WebClient('token', {
            slackApiUrl: `${url}/`, logger: new Proxy({}, { get: () => () => {} }),
        }).api.test()).ok,
        expect: obeys,
    },
    notion: {
        title: '@notionhq/client 5.26.0 obeys Retry-After behind a body in its own format',
        at: 'notion', load: async () => (await import('@notionhq/client')).Client,
        run: async (Client, url) => {
            await new Client({ auth: 'token', baseUrl: url, logger() {} }).users.list({});
        },
        expect: obeys,
    },
    parser_unix: {
        title: 'ratelimit-header-parser 0.1.0 reads reset=unix',
        load: async () => (await import('ratelimit-header-parser')).parseRateLimit,
        spend: false,
        run: async (parse, url) => {
            const { limit, remaining, reset } = parse(await fetch(url));
            return { limit, remaining, ahead: reset - Date.now() };
        },
        expect: ({ value }) => value.limit === 1 && value.remaining === 0
            && value.ahead > 0 && value.ahead < 4500,
    },
    parser_ietf: {
        title: 'ratelimit-header-parser 0.1.0 cannot read ietf',
        at: 'parser', load: async () => (await import('ratelimit-header-parser')).parseRateLimit,
        spend: false,
        run: async (parse, url) => String(parse(await fetch(url)).limit),
        expect: ({ value }) => value === 'NaN',
    },

    // ---- the examples, by the API's own clients

    style_github: {
        title: 'styles.conf, GitHub: @octokit/core reads what it needs',
        load: load.octokit, spend: false,
        run: async (Octokit, url, port) => {
            const client = new Octokit({ baseUrl: `http://127.0.0.1:${port + 10}`,
                throttle: { onRateLimit: () => false, onSecondaryRateLimit: () => false } });
            const { headers } = await client.request('GET /x');
            return [headers['x-ratelimit-limit'], headers['x-ratelimit-used'],
                headers['x-ratelimit-resource'],
                headers['x-ratelimit-reset'] - Math.floor(Date.now() / 1000) > 3500].join();
        },
        expect: ({ value }) => value === '5000,1,core,true',
    },
    style_openai: {
        title: 'styles.conf, OpenAI: openai reads requests and tokens',
        load: load.openai, spend: false,
        run: async (OpenAI, url, port) => {
            const { response } = await new OpenAI({ apiKey: 'key',
                baseURL: `http://127.0.0.1:${port + 11}` }).models.list().withResponse();
            return ['limit-requests', 'remaining-requests', 'reset-requests', 'limit-tokens',
                'remaining-tokens', 'reset-tokens'].map(name =>
                response.headers.get(`x-ratelimit-${name}`)).join();
        },
        expect: ({ value }) => /^500,499,\d+ms,200000,199000,\d+ms$/.test(value),
    },
    style_anthropic: {
        title: 'styles.conf, Anthropic: the SDK and Date read the moment',
        load: load.anthropic, spend: false,
        run: async (Anthropic, url, port) => {
            const { response } = await new Anthropic({ apiKey: 'key',
                baseURL: `http://127.0.0.1:${port + 12}` }).models.list().withResponse();
            return new Date(response.headers.get('anthropic-ratelimit-requests-reset')) - Date.now();
        },
        expect: ({ value }) => value > -2500 && value < 3500,
    },
    style_discord: {
        title: 'styles.conf, Discord: @discordjs/rest waits before it is refused',
        load: async () => (await import('@discordjs/rest')).REST, spend: false,
        run: async (REST, url, port) => {
            const rest = new REST({ api: `http://127.0.0.1:${port + 13}`, retries: 0 })
                .setToken('token');
            let refused = 0;
            const began = Date.now();
            rest.on('rateLimited', () => {});
            rest.on('response', (request, response) => { refused += response.status === 429; });
            for (let i = 0; i < 7; i++) {
                await rest.get('/channels/1');
            }
            return { refused, seconds: (Date.now() - began) / 1000 };
        },
        expect: ({ value }) => value.refused === 0 && value.seconds > 2 && value.seconds < 15,
    },
    style_shopify: {
        title: 'styles.conf, Shopify: shopify-api-node counts calls',
        load: async () => (await import('shopify-api-node')).default, spend: false,
        run: async (Shopify, url, port) => {
            const shopify = new Shopify({ shopName: 'shop', accessToken: 'token' });
            shopify.baseUrl = { hostname: '127.0.0.1', port: port + 14, protocol: 'http:' };
            const limits = [];
            shopify.on('callLimits', ({ current, max }) => limits.push(`${current}/${max}`));
            await shopify.request({ pathname: '/x', ...shopify.baseUrl }, 'GET');
            return limits.join();
        },
        expect: ({ value }) => value === '1/40',
    },
    backlog: {
        title: 'backlog.conf: backlog-js is its user, and reads a refusal',
        load: async () => (await import('backlog-js')).Backlog, spend: false,
        run: async (Backlog, url, port) => {
            const plain = globalThis.fetch;
            globalThis.fetch = (to, init) => plain(String(to.url ?? to).replace('https:', 'http:'), init);
            const client = new Backlog({ host: `127.0.0.1:${port + 20}`, apiKey: 'alice-1' });
            const errors = [];  // the stand-in's answer is no JSON
            for (let i = 0; i < 2; i++) {
                await client.getSpace().catch(error => errors.push(error));
            }
            const error = errors.at(-1);
            return { name: error.name,
                code: error.body.errors[0].code,
                limit: error.response.headers.get('x-ratelimit-limit') };
        },
        expect: ({ value }) => value.name === 'BacklogApiError' && value.code === 13 && value.limit === '1',
    },
    trello: {
        title: 'trello.conf: trello.js is served after its own waits of 2 and 4 s',
        load: async () => (await import('trello.js')).createTrelloClient, spend: false,
        run: async (createTrelloClient, url, port) => {
            const client = createTrelloClient({ apiKey: 'key', apiToken: 'token',
                host: `http://127.0.0.1:${port + 30}/1`, skipParsing: true });
            const began = Date.now();
            await client.boards.getBoard({ id: 'b' });
            await client.boards.getBoard({ id: 'b' });
            return (Date.now() - began) / 1000;
        },
        expect: ({ value, error }) => !error && value > 1.9 && value < 15,
    },

    // ---- many calls at once, told the same or in turn; one may miss its turn
    // where the machine is busy

    got_herd: {
        title: 'got 14.6.6: of 25 calls at once some fail, as all come back together',
        at: 'herd', load: load.got, spend: false,
        run: herd((got, url) => got(url).text()), expect: served(11, 19, [55, 65]),
    },
    got_spread: {
        title: 'got 14.6.6: of 25 calls at once hardly any fails, told in turn',
        at: 'spread', load: load.got, spend: false,
        run: herd((got, url) => got(url).text()), expect: served(24, 25, [45, 55]),
    },
    axios_retry_herd: {
        title: 'axios-retry 4.5.0: of 25 calls at once some fail, as all come back together',
        at: 'herd', load: load.axiosRetry, spend: false,
        run: herd((axios, url) => axios.get(url)), expect: served(15, 24, [60, 80]),
    },
    axios_retry_spread: {
        title: 'axios-retry 4.5.0: of 25 calls at once hardly any fails, told in turn',
        at: 'spread', load: load.axiosRetry, spend: false,
        run: herd((axios, url) => axios.get(url)), expect: served(24, 25, [45, 55]),
    },
    undici_herd: {
        title: 'undici 7.30.2: 25 calls at once ask three times each',
        at: 'herd', load: load.undici, spend: false,
        run: herd((request, url) => request(url)), expect: served(25, 25, [65, 85]),
    },
    undici_spread: {
        title: 'undici 7.30.2: 25 calls at once ask twice each, told in turn',
        at: 'spread', load: load.undici, spend: false,
        run: herd((request, url) => request(url)), expect: served(24, 25, [45, 55]),
    },

    // ---- gRPC

    grpc: {
        title: '@grpc/grpc-js 1.14.7 sees RESOURCE_EXHAUSTED and our fields',
        load: async () => (await import('@grpc/grpc-js')).default, spend: false,
        run: async (grpc, url, port) => {
            const { call } = await grpcPair(grpc, port, 2, 'grpc', {});
            const first = await call();
            const second = await call();
            return { first: first.code, code: second.code, details: second.details,
                left: second.metadata.get('x-ratelimit-remaining')[0],
                wait: second.metadata.get('retry-after')[0] };
        },
        expect: ({ value, statuses }) => value.first === 0 && value.code === 8 && value.left === '0'
            && /^[1-3]$/.test(value.wait)
            && /^quota short exceeded, retry after [1-3] s$/.test(value.details)
            && statuses === '200 200',
    },
    llm_openai: {
        title: 'openai 6.49.0 streams through llm.conf, is charged what it took, and told why it is refused',
        load: load.openai, spend: false,
        run: async (OpenAI, url, port) => {
            const client = new OpenAI({ apiKey: 'sk-free', maxRetries: 0,
                baseURL: `http://127.0.0.1:${port + 40}/v1` });
            const stream = include_usage => client.chat.completions.create({ model: 'm', stream: true,
                messages: [{ role: 'user', content: 'x' }],
                ...(include_usage ? { stream_options: { include_usage } } : {}) }).withResponse();
            const told = [];
            let text = '';
            for (const usage of [true, false]) {
                const { data, response } = await stream(usage);
                told.push(response.headers.get('x-ratelimit-remaining-tokens'));
                for await (const part of data) {
                    text += part.choices[0]?.delta.content ?? '';
                }
            }
            const refusal = await stream(true).catch(error => error);
            return [text, ...told, refusal.constructor.name, refusal.code, refusal.type].join();
        },
        expect: ({ value }) => value === 'A few words.A few words.,1500,300,'
            + 'RateLimitError,rate_limit_exceeded,tokens',
    },
    llm_anthropic: {
        title: '@anthropic-ai/sdk 1.14.0 streams through llm.conf, is charged both numbers, and is refused in its shape',
        load: load.anthropic, spend: false,
        run: async (Anthropic, url, port) => {
            const client = new Anthropic({ apiKey: 'sk-pro', maxRetries: 0,
                baseURL: `http://127.0.0.1:${port + 40}` });
            const ask = headers => client.messages.create({ model: 'm', max_tokens: 9, stream: true,
                messages: [{ role: 'user', content: 'x' }] }, { headers }).withResponse();
            const told = [];
            let text = '';
            for (let i = 0; i < 2; i++) {
                const { data, response } = await ask({});
                told.push(response.headers.get('anthropic-ratelimit-tokens-remaining'));
                for await (const part of data) {
                    text += part.delta?.text ?? '';
                }
            }
            const refusal = await ask({ 'X-Max-Tokens': '199999' }).catch(error => error);
            return [text, ...told, refusal.constructor.name, refusal.error?.error?.type].join();
        },
        expect: ({ value }) => value === 'A few words.A few words.,199500,198300,'
            + 'RateLimitError,rate_limit_error',
    },
    grpc_retry: {
        title: '@grpc/grpc-js 1.14.7 with a retry policy waits as it is told and is served',
        load: async () => (await import('@grpc/grpc-js')).default, spend: false,
        run: async (grpc, url, port) => {
            const { call } = await grpcPair(grpc, port, 3, 'grpc_retry', {
                'grpc.service_config': JSON.stringify({ methodConfig: [{ name: [{}],
                    retryPolicy: { maxAttempts: 3, initialBackoff: '0.01s', maxBackoff: '0.01s',
                        backoffMultiplier: 1, retryableStatusCodes: ['RESOURCE_EXHAUSTED'] } }] }),
            });
            return [(await call()).code, (await call()).code].join();
        },
        expect: ({ value, requests }) => value === '0,0' && requests.length === 3
            && requests[2].at - requests[1].at > 1000,
    },
};

// A client, and the server that nginx passes its calls to.
async function grpcPair(grpc, port, backend, who, options) {
    const bytes = value => value;
    const method = { path: `/${who}/Call`, requestStream: false, responseStream: false,
        requestSerialize: bytes, requestDeserialize: bytes,
        responseSerialize: bytes, responseDeserialize: bytes };
    const server = new grpc.Server();
    server.addService({ call: method }, { call: (call, done) => done(null, call.request) });
    await new Promise(resolve => server.bindAsync(`127.0.0.1:${port + backend}`,
        grpc.ServerCredentials.createInsecure(), resolve));
    const Client = grpc.makeGenericClientConstructor({ call: method }, who);
    const client = new Client(`127.0.0.1:${port + 1}`, grpc.credentials.createInsecure(), options);
    return { call: () => new Promise(resolve => {
        const call = client.call(Buffer.from('message'), error => {
            resolve(error ?? { code: 0, metadata: new grpc.Metadata() });
        });
        call.on('error', () => {});
    }) };
}
