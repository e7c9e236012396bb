// The JavaScript SDK on Node, run by `cargo xtask languages javascript`. It uses no feature of Node, so both engines
// behave alike.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { provider } from '../../sdk/javascript/compat/index.js';
import { plan, text } from '../../sdk/javascript/fit.js';
import { guard } from '../../sdk/javascript/guard.js';
import * as sdk from '../../sdk/javascript/index.js';
import { fail } from '../../sdk/javascript/index.js';
import { readUsage } from '../../sdk/javascript/compat/usage.js';
import { NAME, Names } from '../../sdk/javascript/names.js';
import { afterMs } from '../../sdk/javascript/retry.js';

const { about, providerChat } = provider({ name: 'acme' });
const CTX = { requestId: 'req_1', nowMs: 784111777000, model: 'm', format: 'openai.chat', options: [], blobs: [], memo: '' };
console.error = () => {};

function thrown(call) {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

function events(...chunks) {
  const decoder = new providerChat.ChatDecoder(CTX);
  const frames = chunks.map((chunk) => ({ data: typeof chunk === 'string' ? chunk : JSON.stringify(chunk) }));
  return [...decoder.push(frames).events, ...decoder.finish().events];
}
const chunk = (delta, finish_reason) => ({ id: 'c', choices: [{ index: 0, delta, finish_reason }] });

test('numbers become text where text is due, and what is missing is empty or absent', () => {
  assert.deepEqual(plan('TextPart')({ text: 7 }), { text: '7', citations: [], signature: undefined, cache: undefined, extensions: [] });
});

test('counts stay within their bits', () => {
  const usage = plan('Usage')({ input: -1, cacheRead: 2 ** 40, cacheWrite: 2.9, output: null });
  assert.deepEqual([usage.input, usage.cacheRead, usage.cacheWrite, usage.output], [0, 0xffffffff, 2, undefined]);
  assert.equal(plan('Error')(fail('timeout', 'x', { status: 2 ** 20 })).status, 0xffff);
});

test('half a surrogate pair is mended and a whole one stays', () => {
  assert.equal(text('a\ud83db'), 'a\ufffdb');
  assert.equal(text('\u{1f600}é'), '\u{1f600}é');
});

test('what cannot fit names its place', () => {
  assert.throws(() => plan('Candidate')({ parts: [{ tag: 'words' }] }), /Candidate.parts: words is no case of Part/);
  assert.throws(() => plan('Finish')({ reason: 'finished' }), /Finish.reason: finished is no FinishReason/);
});

const broken = guard('providerChat', {
  renderRequest() {
    throw fail('unsupported', 'no tools here', { param: 'tools' });
  },
  parseResponse: (_, response) => response.body.val,
  ChatDecoder: class {
    constructor() {
      throw new RangeError('no such option');
    }
  },
});

test('an exception is an internal error that names the line', () => {
  const error = thrown(() => broken.parseResponse(CTX, {}));
  assert.equal(error.kind, 'internal');
  assert.match(error.message, /^TypeError: .*\(sdk\.test\.mjs:\d+\)$/);
  assert(!(error instanceof Error));
});

test('an error of the contract passes', () => {
  const error = thrown(() => broken.renderRequest(CTX, {}));
  assert.deepEqual([error.kind, error.param], ['unsupported', 'tools']);
});

test('a constructor that fails shows at the first push', () => {
  const decoder = new broken.ChatDecoder(CTX);
  assert.match(thrown(() => decoder.push([])).message, /no such option/);
});

test('parse-error gives an error whatever happens', () => {
  const errors = guard('providerErrors', { parseError: () => null.status });
  assert.equal(errors.parseError(CTX, {}).kind, 'internal');
});

test('the manifest is whole and of the contract', () => {
  const [head] = readFileSync(new URL('../../wit/about.wit', import.meta.url), 'utf8').split('\n');
  assert.equal(head, `package weir:adapter@${sdk.manifest.CONTRACT};`);
  const described = about.describe();
  assert.equal(described.contract, sdk.manifest.CONTRACT);
  assert.deepEqual(described.faces, []);
  assert.deepEqual([...new Set(described.accepts.map((one) => one.transport))], [undefined]);
});

test('what a later contract added may be left out or said', () => {
  const { usagePlace, beside, unitNumber, unitMatches, equals, otherThan } = sdk.manifest;
  const tap = plan('Tap')({
    usage: [beside(usagePlace('input-audio', ['/n']), 'modality', 'AUDIO')],
    units: [unitNumber('search', ['/s']), unitMatches('image', equals('/*/t', 'i'))],
  });
  assert.deepEqual(tap.usage[0].beside, { pointer: '/modality', json: '"AUDIO"' });
  assert.deepEqual(tap.units.map((place) => place.unit), ['search', 'image']);
  assert.deepEqual([tap.serviceTier, tap.batch], [[], []]);
  assert.deepEqual(otherThan('/n', [1, 'x']).val.json, ['1', '"x"']);
});

test('totals sum every bucket', () => {
  const input = { input: 1, inputAudio: 2, inputImage: 4, cacheRead: 8, cacheWrite: 16, cacheWriteHour: 32 };
  assert.deepEqual([sdk.inputTotal(input), sdk.outputTotal(input), sdk.cacheWriteTotal(input)], [63, undefined, 48]);
  assert.equal(sdk.outputTotal({ output: 1, outputAudio: 2, outputImage: 4, reasoning: 8 }), 15);
});

test('a piece of arguments with its place is a delta to other encoders', () => {
  const piece = { candidate: 0, part: 1, text: '"Ro', path: '$.city', json: '"Ro"', continues: true };
  assert.deepEqual(sdk.asDelta({ tag: 'argument', val: piece }), sdk.delta(0, 1, '"Ro'));
  assert.deepEqual(sdk.asDelta(sdk.partStop(0, 1)), sdk.partStop(0, 1));
});

test('values out of range are translated and others relayed', () => {
  const own = provider({ name: 'acme', clamps: { temperature: [0, 1.5] } }).about.describe();
  const reason = 'this provider takes 0 to 1.5';
  assert.deepEqual(own.accepts[0].exclusions.filter((one) => one.reason === reason), [
    { test: sdk.manifest.below('/temperature', 0), reason },
    { test: sdk.manifest.above('/temperature', 1.5), reason },
  ]);
});

test('audio and images are buckets and stay in the details', () => {
  const found = readUsage({
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 60, audio_tokens: 30, image_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 25, image_tokens: 99 },
    num_search_queries: 3,
  });
  assert.deepEqual([found.input, found.inputAudio, found.inputImage, found.cacheRead], [10, 30, undefined, 60]);
  assert.deepEqual([found.output, found.outputAudio, found.outputImage, found.reasoning], [0, 25, 5, 20]);
  assert.deepEqual([sdk.inputTotal(found), sdk.outputTotal(found)], [100, 50]);
  assert.deepEqual(found.units, [{ unit: 'search', count: 3 }]);
  const kept = sdk.findExtension(found.extensions, 'openai.chat', 'completion_tokens_details');
  assert.deepEqual(JSON.parse(kept), { audio_tokens: 25, image_tokens: 99 });
});

test('c03: calls without an index are told apart by their ids', () => {
  const call = (id, args) => ({ id, function: { name: 'f', arguments: args } });
  const found = events(chunk({ tool_calls: [call('a', '{"x":1}'), call('b', '{"y":2}')] }, 'tool_calls'));
  assert.deepEqual(found.filter((e) => e.tag === 'part-start').map((e) => e.val.kind.val.id), ['a', 'b']);
});

test('c13: an end without a finish is a failure unless it was marked', () => {
  assert.equal(events(chunk({ content: 'Hi' })).at(-1).tag, 'failure');
  assert.equal(events(chunk({ content: 'Hi' }), '[DONE]').at(-1).tag, 'finish');
});

test('an answer of nonsense is an error of the contract or an empty answer', () => {
  for (const body of ['', '[]', 'null', '{"choices":7,"usage":[]}', '{"choices":[{"message":{"tool_calls":[7]}}]}']) {
    const found = thrown(() => providerChat.parseResponse(CTX, { status: 200, headers: [], body: { tag: 'text', val: body } }));
    assert(found.tag === 'complete' || found.kind === 'upstream', JSON.stringify(found));
  }
});

test('c63: when to try again', () => {
  const wait = (value) => afterMs([{ name: 'retry-after', value }], CTX.nowMs);
  assert.deepEqual([wait('2'), wait('Sun, 06 Nov 1994 08:49:47 GMT'), wait('soon')], [2000, 10000, undefined]);
});

test('c47: long names stay distinct and come back', () => {
  const names = new Names(NAME);
  const [one, two] = ['1', '2'].map((tail) => names.send('a'.repeat(70) + tail));
  assert.notEqual(one, two);
  const back = new Names(NAME, names.toMemo());
  assert.deepEqual([back.restore(one), back.restore('f')], ['a'.repeat(70) + '1', 'f']);
});

test('the highest detail of an image is the highest that chat has', () => {
  const bare = { tools: [], sampling: { stop: [] }, extensions: [] };
  const details = (detail) => {
    const image = { kind: 'image', source: { tag: 'base64', val: 'AAAA' }, mime: 'image/png', detail, extensions: [] };
    const message = { role: { tag: 'user' }, parts: [{ tag: 'media', val: image }], extensions: [] };
    const rendered = providerChat.renderRequest(CTX, { ...bare, messages: [message] });
    const sent = JSON.parse(rendered.request.body.val).messages[0].content[0].image_url.detail;
    return [sent, rendered.losses.map(({ field, kind }) => [field, kind])];
  };
  assert.deepEqual(details('low'), ['low', []]);
  assert.deepEqual(details('original'), ['high', [['messages[0].content[0].detail', 'clamped']]]);
});
