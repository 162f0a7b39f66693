// A small back end for conf-examples/llm.conf: streams of OpenAI's and of
// Anthropic's shape, in pieces that end anywhere.

import { createServer } from 'node:http';

const chunk = fields => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk',
    created: 1, model: 'm', ...fields })}\n\n`;
const event = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

const openai = usage => [...'A few words.'].map(content => chunk({ usage: null,
    choices: [{ index: 0, delta: { content }, finish_reason: null }] })).join('')
    + (usage ? chunk({ choices: [], usage: { prompt_tokens: 200, completion_tokens: 1000,
        total_tokens: 1200 } }) : '')
    + 'data: [DONE]\n\n';

const anthropic = event('message_start', { message: { id: 'm', type: 'message', role: 'assistant',
        model: 'm', content: [], stop_reason: null, stop_sequence: null,
        usage: { input_tokens: 200, output_tokens: 1 } } })
    + event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
    + [...'A few words.'].map(text => event('content_block_delta', { index: 0,
        delta: { type: 'text_delta', text } })).join('')
    + event('content_block_stop', { index: 0 })
    + event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: 1000 } })
    + event('message_stop', {});

createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) {
        text += piece;
    }
    const asked = JSON.parse(text);
    const body = request.url.startsWith('/v1/messages') ? anthropic
        : openai(asked.stream_options?.include_usage);
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    for (let at = 0; at < body.length; at += 37) {
        response.write(body.slice(at, at + 37));
        await new Promise(resolve => setImmediate(resolve));
    }
    response.end();
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
