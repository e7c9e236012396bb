// The unified model: builders for answers and readers for requests. Absent members are filled in later (`fit.js`), so a
// plain object with only the needed members works too.
import { asText } from './fit.js';

/** An error of the contract, to throw: `throw fail('unsupported', 'no tools here', { param: 'tools' })`. */
export const fail = (kind, message, more = {}) => ({ kind, message, ...more });

/** The error for a provider's answer that cannot be parsed. */
export const unreadable = (message) => fail('upstream', message);

/** A 32-bit count as an unsigned number: QuickJS shows one of 2^31 or more as negative. */
export const u32 = (value) => (value == null ? undefined : value >>> 0);

// ---- Context ---------------------------------------------------------------------------------------------------------

/** The value of one of the target's options. */
export function option(ctx, key, fallback) {
  const found = ctx.options.find((setting) => setting.key === key);
  return found ? JSON.parse(found.json) : fallback;
}

/** The value of a header; names are in lower case. */
export const header = (headers, name) => headers.find((header) => header.name === name)?.value;

/** A body as text. */
export const bodyText = (body) => (body.tag === 'text' ? body.val : decoded(body.val));

/** Decodes UTF-8 by hand: QuickJS has no TextDecoder. Text bodies do not need this. */
function decoded(bytes) {
  let out = '';
  for (let at = 0; at < bytes.length; at += 8192) out += String.fromCharCode(...bytes.subarray(at, at + 8192));
  try {
    return decodeURIComponent(escape(out));
  } catch {
    return out;
  }
}

/** A whole answer's JSON; raises an error of kind `upstream` if it is not JSON. */
export function answerJson(response) {
  try {
    return JSON.parse(bodyText(response.body));
  } catch (error) {
    throw unreadable(`the provider's answer is not readable: ${error.message}`);
  }
}

// ---- Requests upstream -----------------------------------------------------------------------------------------------

/** A request without a body. */
export const get = (path, more = {}) => ({ method: 'GET', path, body: { tag: 'text', val: '' }, ...more });

/** A request with JSON text. */
export const post = (path, json, more = {}) => ({ method: 'POST', path, body: { tag: 'text', val: json }, ...more });

// ---- Parts and events ------------------------------------------------------------------------------------------------

/** Words. */
export const text = (words, more = {}) => ({ tag: 'text', val: { text: words, ...more } });

/** A refusal, in words. */
export const refusal = (words) => ({ tag: 'refusal', val: words });

/** The model's thinking. */
export const reasoning = (words, more = {}) => ({ tag: 'reasoning', val: { text: words, ...more } });

/** A call for the client to carry out. */
export const toolCall = (id, name, args, more = {}) => ({
  tag: 'tool-call',
  val: { id, name, kind: 'function', arguments: args, ...more },
});

/** A member that the unified model does not have. */
export const extension = (format, key, value) => ({ format, key, json: JSON.stringify(value) });

/** Members that the unified model does not have; null ones are skipped. */
export const extensions = (format, rest) =>
  Object.entries(rest).filter(([, value]) => value != null).map(([key, value]) => extension(format, key, value));

/** The JSON of an extension; None if there is none. */
export const findExtension = (extensions, format, key) =>
  extensions.find((extension) => extension.format === format && extension.key === key)?.json;

/** Token counts in disjoint buckets, and units: `usage({ input: 3, units: [unit('search', 2)] })`. */
export const usage = (buckets) => buckets;

/** A number of units that are billed by the piece: `search`, `tool-run`, `image`, ... */
export const unit = (unit, count) => ({ unit, count });

/** All input tokens, cached or not; undefined if no count is known. */
export const inputTotal = ({ input, inputAudio, inputImage, cacheRead, cacheWrite, cacheWriteHour }) =>
  total([input, inputAudio, inputImage, cacheRead, cacheWrite, cacheWriteHour]);

/** All output tokens, reasoning included; undefined if no count is known. */
export const outputTotal = ({ output, outputAudio, outputImage, reasoning }) =>
  total([output, outputAudio, outputImage, reasoning]);

/** Input tokens written to a cache for any time; undefined if no count is known. */
export const cacheWriteTotal = ({ cacheWrite, cacheWriteHour }) => total([cacheWrite, cacheWriteHour]);

function total(buckets) {
  const known = buckets.filter((bucket) => bucket != null);
  return known.length ? Math.min(known.reduce((sum, bucket) => sum + u32(bucket), 0), 0xffffffff) : undefined;
}

/** The reason why an answer ended: `complete`, `length`, `tool-calls`, ... */
export const finish = (reason, raw) => ({ reason, raw });

/** The event that starts a part; `kind` is `{ tag: 'text' }`, `toolStart(...)`, ... */
export const partStart = (candidate, part, kind) => ({ tag: 'part-start', val: { candidate, part, kind } });

/** The kind of a part that is a tool call. */
export const toolStart = (id, name, kind = 'function') => ({ tag: 'tool-call', val: { id, name, kind } });

/** The event with more text of a part. */
export const delta = (candidate, part, words) => ({ tag: 'delta', val: { candidate, part, text: words } });

/** An `argument` event as a delta, any other event unchanged. For encoders of formats without argument paths:
 * `for (const event of events.map(asDelta))`. */
export const asDelta = (event) =>
  event.tag === 'argument' ? delta(event.val.candidate, event.val.part, event.val.text) : event;

/** The event that ends a part. */
export const partStop = (candidate, part) => ({ tag: 'part-stop', val: { candidate, part } });

/** The event that ends a candidate. */
export const finished = (candidate, finish) => ({ tag: 'finish', val: { candidate, finish } });

/** Text, however it is wrapped; an object becomes its JSON. */
export function wordsOf(value) {
  if (Array.isArray(value)) return value.map((part) => wordsOf(part?.text)).join('');
  return asText(value);
}
