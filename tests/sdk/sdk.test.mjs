// The JavaScript SDK on Node, run by `cargo xtask languages javascript`. It uses no feature of Node, so both engines
// behave alike.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provider } from '../../sdk/javascript/compat/index.js';
import { plan, text } from '../../sdk/javascript/fit.js';
import { guard } from '../../sdk/javascript/guard.js';
import { fail } from '../../sdk/javascript/index.js';
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

test('the manifest is whole', () => {
  assert.equal(about.describe().contract, '0.1.0');
  assert.deepEqual(about.describe().faces, []);
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
