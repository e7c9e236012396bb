// Decodes streamed answers: a state machine for each candidate, from chunks to events.
//
// Neither `index` nor `id` of a tool call is trusted; a value that is repeated gives one event; the same chunks give
// the
// same events however they are grouped.
import { Losses } from '../losses.js';
import { delta, finish, finished, partStart, partStop, toolStart, unreadable, wordsOf } from '../model.js';
import { Names } from '../names.js';
import { count, isEmpty, listOf, objectOf, without } from '../wire.js';
import { Call, Piece, findCall } from './calls.js';
import { fromJson } from './errors.js';
import { FORMAT } from './quirks.js';
import { citation, contentPart, createdMs, fingerprintLast, madeId, readFinish } from './response.js';
import { readUsage } from './usage.js';

const CHUNK = ['id', 'object', 'created', 'model', 'choices', 'usage', 'service_tier', 'error'];
const CHOICE = ['index', 'delta', 'message', 'text', 'logprobs', 'finish_reason', 'error'];
const DELTA = ['role', 'content', 'refusal', 'reasoning_content', 'reasoning', 'tool_calls', 'function_call', 'annotations'];

/** Decodes the chunks of one answer. */
export class ChunkDecoder {
  constructor(provider, ctx) {
    const { noise, toolNames } = provider.quirks;
    this.provider = provider;
    this.ctx = ctx;
    this.known = { chunk: new Set([...CHUNK, ...noise]), choice: new Set([...CHOICE, ...noise]), delta: new Set([...DELTA, ...noise]) };
    this.names = new Names(toolNames, ctx.memo);
    this.losses = new Losses();
    this.started = this.done = this.failed = false;
    this.candidates = new Map();
    this.lastUsage = undefined;
    this.lastMembers = {};
    this.events = [];
  }

  /** Decodes the frames of one read. */
  push(frames) {
    for (const frame of frames) if (!this.failed) this.frame(frame);
    return this.take();
  }

  /** Called when the upstream has ended. Without a finish and without `[DONE]` the answer counts as broken. */
  finish() {
    const open = [...this.candidates.values()].filter((candidate) => !candidate.finished);
    if (this.failed || (!open.length && this.started)) return this.take();
    if (!this.done || !this.started) {
      this.fail(unreadable("the provider's stream ended before the answer was complete"));
      return this.take();
    }
    this.losses.approximated('choices[].finish_reason', 'the provider sent none');
    for (const candidate of open) candidate.close(finish(candidate.calls.length ? 'tool-calls' : 'complete'));
    return this.take();
  }

  take() {
    return { events: this.events.splice(0), losses: this.losses.take() };
  }

  fail(error) {
    this.failed = true;
    this.events.push({ tag: 'failure', val: error });
  }

  frame(frame) {
    const data = frame.data.trim();
    if (!data || this.done) return;
    if (data === '[DONE]') {
      this.done = true;
      return;
    }
    let chunk;
    try {
      chunk = JSON.parse(data);
    } catch (error) {
      return this.fail(unreadable(`a chunk is not readable: ${error.message}`));
    }
    if (frame.event === 'error') this.fail(fromJson(chunk));
    else this.chunk(objectOf(chunk));
  }

  chunk(chunk) {
    if (chunk.error) {
      this.usage(chunk);
      return this.fail(fromJson(chunk.error));
    }
    this.members(chunk);
    const choices = listOf(chunk.choices);
    for (let at = 0; at < choices.length; at++) {
      const choice = objectOf(choices[at]);
      if (choice.error) return this.fail(fromJson(choice.error));
      const index = count(choice.index) ?? at;
      if (!this.candidates.has(index)) this.candidates.set(index, new Candidate(this, index));
      this.candidates.get(index).take(choice);
    }
    this.usage(chunk);
  }

  usage(chunk) {
    if (chunk.usage == null) return;
    const val = readUsage(chunk.usage);
    const said = JSON.stringify(val);
    if (val === undefined || said === this.lastUsage) return;
    this.lastUsage = said;
    this.events.push({ tag: 'usage', val });
  }

  /** Reads the members around the choices: the first chunk starts the answer, later ones may change values. */
  members(chunk) {
    const news = {};
    const rest = fingerprintLast(without(chunk, this.known.chunk));
    if (this.started && chunk.service_tier != null) rest.service_tier = chunk.service_tier;
    for (const key in rest) {
      const json = JSON.stringify(rest[key]);
      if (this.lastMembers[key] === json) continue;
      this.lastMembers[key] = json;
      news[key] = rest[key];
    }
    if (this.started) {
      if (!isEmpty(news)) this.opaque('chunk', news);
      return;
    }
    // A first chunk without an id yet: its members are kept for the start.
    if (!chunk.id && !listOf(chunk.choices).length) return;
    this.started = true;
    const extensions = Object.entries(this.lastMembers).map(([key, json]) => ({ format: FORMAT, key, json }));
    if (chunk.service_tier != null) this.lastMembers.service_tier = JSON.stringify(chunk.service_tier);
    const val = { id: chunk.id, model: chunk.model || undefined, createdMs: createdMs(chunk), serviceTier: chunk.service_tier, extensions };
    this.events.push({ tag: 'start', val });
  }

  opaque(kind, members) {
    this.events.push({ tag: 'opaque', val: { format: FORMAT, kind, json: JSON.stringify(members) } });
  }
}

/** One candidate: its open parts, and the events of each delta. */
class Candidate {
  constructor(decoder, index) {
    this.decoder = decoder;
    this.index = index;
    this.finished = false;
    this.parts = 0;
    /** The part that text is added to, and its kind. */
    this.open = undefined;
    this.calls = [];
  }

  emit(event) {
    this.decoder.events.push(event);
  }

  /** Reads one choice of a chunk. */
  take(choice) {
    // Some servers repeat the whole message beside each delta: it counts only if nothing was emitted before.
    let given = objectOf(choice.delta ?? (this.parts === 0 ? choice.message : undefined));
    if (choice.text) given = { content: choice.text, ...given };
    if (choice.logprobs != null) {
      this.emit({ tag: 'logprobs', val: { candidate: this.index, json: JSON.stringify(choice.logprobs) } });
    }
    if (!this.finished) this.delta(given);
    this.others(choice, given);
    const end = readFinish(this.decoder.provider, choice.finish_reason, this.calls.length > 0);
    if (end && !this.finished) this.close(end);
  }

  /** Ends the candidate. */
  close(end) {
    this.stopWords();
    for (const call of this.calls) this.stopCall(call);
    this.finished = true;
    this.emit(finished(this.index, end));
  }

  /** Members that other formats do not have, as an event. */
  others(choice, given) {
    const rest = without(choice, this.decoder.known.choice);
    const inner = without(given, this.decoder.known.delta);
    if (!isEmpty(rest) || !isEmpty(inner)) this.decoder.opaque('choice', { index: this.index, delta: inner, ...rest });
  }

  delta(given) {
    this.words('reasoning', wordsOf(given.reasoning_content) || wordsOf(given.reasoning));
    if (Array.isArray(given.content)) for (const part of given.content) this.part(contentPart(objectOf(part)));
    else this.words('text', wordsOf(given.content));
    for (const note of listOf(given.annotations)) {
      const part = this.openWords('text');
      this.emit({ tag: 'citation', val: { candidate: this.index, part, citation: citation(objectOf(note)) } });
    }
    this.words('refusal', wordsOf(given.refusal));
    for (const call of listOf(given.tool_calls)) this.call(new Piece(objectOf(call)));
    if (given.function_call) this.call(new Piece({ function: given.function_call }));
  }

  /** A part that comes whole. */
  part({ tag, val }) {
    if (tag !== 'opaque') return this.words(tag, tag === 'refusal' ? val : val.text);
    this.stopWords();
    this.settle();
    this.emit(partStop(this.index, this.start({ tag, val })));
  }

  /** Adds text; an empty piece changes nothing, so it closes no other part. */
  words(kind, words) {
    if (words) this.emit(delta(this.index, this.openWords(kind), words));
  }

  openWords(kind) {
    if (this.open?.kind !== kind) {
      this.stopWords();
      this.settle();
      this.open = { part: this.start({ tag: kind }), kind };
    }
    return this.open.part;
  }

  start(kind) {
    this.emit(partStart(this.index, this.parts, kind));
    return this.parts++;
  }

  stopWords() {
    if (this.open) this.emit(partStop(this.index, this.open.part));
    this.open = undefined;
  }

  call(piece) {
    let call = findCall(this.calls, piece);
    if (!call && !piece.opens) {
      return this.decoder.losses.dropped('choices[].delta.tool_calls', 'arguments came before any call');
    }
    if (!call) this.calls.push((call = new Call()));
    if (call.stopped) return;
    if (call.part !== undefined) {
      const words = call.add(piece);
      if (words) this.emit(delta(this.index, call.part, words));
      return;
    }
    if (!call.id && piece.id && this.calls.every((other) => other.id !== piece.id)) call.id = piece.id;
    call.learn(piece);
    if (call.name) this.startCall(call);
  }

  startCall(call) {
    const { ctx, names } = this.decoder;
    call.id ||= madeId(ctx, this.index, this.calls.indexOf(call));
    this.stopWords();
    this.settle();
    call.part = this.start(toolStart(call.id, names.restore(call.name), call.custom ? 'custom' : 'function'));
    if (call.waiting) this.emit(delta(this.index, call.part, call.waiting));
    call.waiting = '';
  }

  /** Stops the calls whose arguments are complete, so that the next part need not wait for them. */
  settle() {
    for (const call of this.calls) if (call.progress.complete) this.stopCall(call);
  }

  stopCall(call) {
    if (call.part === undefined || call.stopped) return;
    call.stopped = true;
    this.emit(partStop(this.index, call.part));
  }
}
