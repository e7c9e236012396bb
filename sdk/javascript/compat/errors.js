// Errors in every shape that OpenAI and compatible servers use.
import { bodyText, fail } from '../model.js';
import { afterMs } from '../retry.js';
import { objectOf } from '../wire.js';

/** Longest message of a provider that is passed on, in characters. */
const LONGEST = 1000;

const BY_WORD = {
  'context-length': 'context_length_exceeded string_above_max_length exceed_context_size_error',
  quota: 'insufficient_quota billing_hard_limit_reached billing_not_active',
  'rate-limited': 'rate_limit_exceeded rate_limit_error too_many_requests resource_exhausted rate_limited ratelimitreached request_limit_exceeded',
  'content-filtered': 'content_filter content_policy_violation responsibleaipolicyviolation',
  'not-found': 'model_not_found deploymentnotfound not_found not_found_error invalid_model model_not_supported resource_does_not_exist endpoint_not_found',
  authentication: 'invalid_api_key authentication_error unauthenticated',
  permission: 'permission_error permission_denied permissiondenied unsupported_country_region_territory',
  overloaded: 'overloaded overloaded_error engine_overloaded unavailable temporarily_unavailable',
  'too-large': 'request_too_large',
  timeout: 'timeout timeout_error deadline_exceeded',
  'invalid-request': 'unsupported_parameter unsupported_value',
  upstream: 'generation incomplete_generation',
};
const KINDS = new Map(Object.entries(BY_WORD).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind])));
const BY_STATUS = {
  401: 'authentication', 402: 'quota', 403: 'permission', 404: 'not-found', 408: 'timeout', 413: 'too-large',
  429: 'rate-limited', 503: 'overloaded', 504: 'timeout', 529: 'overloaded',
};
// Messages that are more precise than the status: the statuses (undefined: an error without one), the words, the kind.
const HINTS = [
  [[400, 413, 422, undefined], [
    'context length', 'context window', 'context_length', 'maximum context', 'prompt is too long', 'too many tokens',
    'reduce the length of the messages', 'exceeds the available context', 'max_new_tokens` must be <=',
    'exceeds maximum input length', "exceeds the model's maximum",
  ], 'context-length'],
  [[400, 401, 402, 403, 429, undefined], [
    'exceeded your current quota', 'insufficient balance', 'insufficient credit', 'requires more credits', 'billing',
  ], 'quota'],
  [[400, 403], ['api key not valid', 'invalid api key', 'incorrect api key', 'invalid access token'], 'authentication'],
  [[400], ['is not a valid model', 'model_not_found', 'no such model'], 'not-found'],
];

/** Parses an answer with a status of 400 or over. Its body may be anything. */
export function parseError(ctx, response) {
  let body;
  try {
    body = JSON.parse(bodyText(response.body));
  } catch {
    body = undefined;
  }
  return { ...fromJson(body, response.status), retryAfterMs: afterMs(response.headers, ctx.nowMs) };
}

/** Parses an error from its JSON; `status` is the answer's, if it had one of 400 or over. */
export function fromJson(body, status) {
  const said = { message: '', kind: '', code: '', param: undefined, status: undefined };
  read(body, said, 0);
  status ??= said.status;
  const kind = kindOf(said, status);
  const code = said.code && !/^\d+$/.test(said.code) ? said.code : undefined;
  return fail(kind, messageOf(kind, said, status), { status, code, param: said.param });
}

function messageOf(kind, said, status) {
  // Providers repeat parts of the key in these messages; clients must not see them.
  if (kind === 'authentication') return 'the provider refused the credential';
  if (said.message) return [...said.message.replace(/[\x00-\x09\x0b-\x1f\x7f]/g, '')].slice(0, LONGEST).join('');
  return status ? `the provider answered with status ${status}` : 'the provider answered with an error';
}

/** Collects the fields of an error; nested wrappers are opened up to a small depth. */
function read(shape, said, depth) {
  if (typeof shape === 'string') said.message ||= shape;
  else if (Array.isArray(shape) && shape.length && depth <= 3) read(shape[0], said, depth + 1);
  else if (shape !== null && typeof shape === 'object' && depth <= 3) readObject(shape, said, depth);
}

function readObject(shape, said, depth) {
  read(shape.error, said, depth + 1);
  read(shape.errors, said, depth + 1);
  said.message ||= word(shape.message) || word(shape.msg);
  said.code ||= word(shape.code) || word(shape.error_code);
  said.kind ||= word(shape.type) || word(shape.error_type);
  for (const value of [shape.status, shape.status_code, shape.code].map(word)) {
    if (!/^\d+$/.test(value)) said.kind ||= value;
    else if (value >= 400 && value < 600) said.status ??= Number(value);
  }
  read(shape.detail, said, depth + 1);
  if (typeof shape.param === 'string') said.param ??= shape.param;
  readMetadata(objectOf(shape.metadata), said, depth);
}

/**
 * Reads a router's metadata. The router's message is often only "provider returned error"; the nested one has the
 * reason.
 */
function readMetadata(metadata, said, depth) {
  if ('flagged_input' in metadata) said.kind = 'content_filter';
  let { raw } = metadata;
  try {
    if (typeof raw === 'string' && raw.trimStart().startsWith('{')) raw = JSON.parse(raw);
  } catch {
    // It is kept as text.
  }
  const behind = { message: '', kind: '', code: '' };
  read(raw, behind, depth + 1);
  said.message = behind.message || said.message;
  said.kind ||= behind.kind;
}

/** A text, or a number as text. */
const word = (value) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** Classifies the error: by the code and the type first, then by the message, then by the status. */
function kindOf(said, status) {
  const words = [said.code.toLowerCase(), said.kind.toLowerCase()];
  for (const one of words) if (KINDS.has(one)) return KINDS.get(one);
  const message = said.message.toLowerCase();
  for (const [statuses, hints, kind] of HINTS) {
    if (statuses.includes(status) && hints.some((hint) => message.includes(hint))) return kind;
  }
  if (status in BY_STATUS) return BY_STATUS[status];
  if (status === undefined) return words.some((one) => one.includes('invalid')) ? 'invalid-request' : 'upstream';
  return status < 500 ? 'invalid-request' : 'upstream';
}
