// Parses whole answers: from the provider's format to the unified model.
import { answerJson, extension, extensions, finish, reasoning, refusal, text, toolCall, wordsOf } from '../model.js';
import { Names } from '../names.js';
import { count, isEmpty, listOf, objectOf, without } from '../wire.js';
import { fromJson } from './errors.js';
import { FORMAT } from './quirks.js';
import { readUsage } from './usage.js';

const ANSWER = new Set(['id', 'object', 'created', 'model', 'choices', 'usage', 'service_tier', 'obfuscation', 'error']);
const CHOICE = new Set(['index', 'message', 'delta', 'text', 'logprobs', 'finish_reason', 'error']);
const MESSAGE = new Set(['role', 'content', 'refusal', 'reasoning_content', 'reasoning', 'tool_calls', 'function_call', 'annotations']);
const CALL = new Set(['id', 'type', 'index', 'function', 'custom']);
const TEXT = new Set(['type', 'text']);
const THINKING = new Set(['type', 'thinking']);
const FINISH = {
  complete: 'stop end_turn eos eos_token completed STOP',
  'stop-sequence': 'stop_sequence',
  length: 'length max_tokens max_output_tokens MAX_TOKENS',
  'context-length': 'model_length',
  'tool-calls': 'tool_calls tool_call tool_use function_call',
  'content-filter': 'content_filter safety SAFETY content_filtered',
  refusal: 'refusal',
  'malformed-tool-call': 'malformed_function_call',
  failed: 'error abort cancelled insufficient_system_resource',
};
const REASONS = new Map(Object.entries(FINISH).flatMap(([reason, words]) => words.split(' ').map((word) => [word, reason])));
const NATURAL = new Set(['complete', 'stop-sequence', 'other']);

/** Parses a whole chat answer. */
export function parse(provider, ctx, response) {
  const answer = objectOf(answerJson(response));
  if (answer.error) throw fromJson(answer.error);
  const names = new Names(provider.quirks.toolNames, ctx.memo);
  const whole = {
    id: answer.id,
    model: answer.model,
    createdMs: createdMs(answer),
    candidates: listOf(answer.choices).map((choice, at) => candidate(provider, ctx, names, at, objectOf(choice))),
    usage: readUsage(answer.usage),
    serviceTier: answer.service_tier,
    extensions: extensions(FORMAT, fingerprintLast(without(answer, ANSWER))),
  };
  return { tag: 'complete', val: { response: whole, losses: [] } };
}

/** Moves the fingerprint to the end: all SDKs keep members in this order, so that their results compare. */
export function fingerprintLast({ system_fingerprint, ...rest }) {
  return system_fingerprint === undefined ? rest : { ...rest, system_fingerprint };
}

/** The time when the answer was made, in milliseconds. */
export const createdMs = (answer) => (typeof answer.created === 'number' ? answer.created * 1000 : undefined);

function candidate(provider, ctx, names, position, choice) {
  if (choice.error) throw fromJson(choice.error);
  const message = objectOf(choice.message ?? choice.delta ?? { content: choice.text });
  const parts = partsOf(ctx, names, message);
  const kept = extensions(FORMAT, without(choice, CHOICE));
  const rest = without(message, MESSAGE);
  if (!isEmpty(rest)) kept.push(extension(FORMAT, 'message', rest));
  return {
    index: count(choice.index) ?? position,
    parts,
    finish: readFinish(provider, choice.finish_reason, parts.some((part) => part.tag === 'tool-call')),
    logprobs: choice.logprobs == null ? undefined : JSON.stringify(choice.logprobs),
    extensions: kept,
  };
}

/** Parses a finish reason. Tool calls outrank a natural end. */
export function readFinish(provider, given, called) {
  if (!given) return undefined;
  const word = wordsOf(given);
  const reason = provider.finish(word) ?? REASONS.get(word) ?? 'other';
  return finish(called && NATURAL.has(reason) ? 'tool-calls' : reason, word);
}

function partsOf(ctx, names, message) {
  const parts = [];
  const thought = wordsOf(message.reasoning_content) || wordsOf(message.reasoning);
  if (thought) parts.push(reasoning(thought));
  if (Array.isArray(message.content)) parts.push(...message.content.map((part) => contentPart(objectOf(part))));
  else if (message.content) parts.push(text(wordsOf(message.content)));
  const citations = listOf(message.annotations).map((note) => citation(objectOf(note)));
  if (citations.length) {
    const last = parts.findLast((part) => part.tag === 'text');
    if (last) last.val.citations = citations;
    else parts.push(text('', { citations }));
  }
  if (message.refusal) parts.push(refusal(message.refusal));
  const calls = listOf(message.tool_calls).concat(message.function_call ? [{ function: message.function_call }] : []);
  return parts.concat(callsOf(ctx, names, calls));
}

/** Parses a part of a list of content; one of an unknown type is kept as it is. */
export function contentPart(part) {
  if (typeof part.text === 'string' && (part.type ?? 'text') === 'text') {
    return text(part.text, { extensions: extensions(FORMAT, without(part, TEXT)) });
  }
  if (part.type === 'refusal' && part.refusal) return refusal(part.refusal);
  if (part.type === 'thinking' && part.thinking != null) {
    return reasoning(wordsOf(part.thinking), { extensions: extensions(FORMAT, without(part, THINKING)) });
  }
  return { tag: 'opaque', val: { format: FORMAT, kind: part.type, json: JSON.stringify(part) } };
}

const only = (object, keys) => Object.keys(object).every((key) => keys.includes(key));

/** Parses an entry of `annotations`; one with more members than a page's citation is also kept whole. */
export function citation(note) {
  const page = objectOf(note.url_citation);
  const plain = note.type === 'url_citation' && page.url != null && only(note, ['type', 'url_citation'])
    && only(page, ['url', 'title', 'start_index', 'end_index']);
  return {
    url: page.url,
    title: page.title,
    start: count(page.start_index),
    end: count(page.end_index),
    source: plain ? undefined : { format: FORMAT, kind: note.type, json: JSON.stringify(note) },
  };
}

function callsOf(ctx, names, calls) {
  const parts = [];
  const ids = new Set();
  calls.map(objectOf).forEach((call, number) => {
    const custom = call.custom != null && (call.function == null || call.type === 'custom');
    const inner = objectOf(custom ? call.custom : call.function);
    if (!inner.name) return;
    const said = wordsOf(call.id);
    const id = said && !ids.has(said) ? said : madeId(ctx, 0, number);
    ids.add(id);
    const kind = custom ? 'custom' : 'function';
    const kept = extensions(FORMAT, without(call, CALL));
    const name = names.restore(wordsOf(inner.name));
    parts.push(toolCall(id, name, wordsOf(custom ? inner.input : inner.arguments), { kind, extensions: kept }));
  });
  return parts;
}

/** An id for a call that came without one: always the same for the same place in the same exchange. */
export const madeId = (ctx, candidate, number) => `call_${candidate}_${number}_${ctx.requestId}`;
