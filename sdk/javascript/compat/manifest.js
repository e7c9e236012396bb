// Builds the manifest of a compatible provider from its quirks.
import { above, below, equals, exclusion, manifest, present, unitNumber, usagePlace } from '../manifest.js';
import { FORMAT } from './quirks.js';

const MODELS = 'openai.models';
const EMBEDDINGS = 'openai.embeddings';
const HEADERS = {
  requestHeaders: ['openai-beta', 'idempotency-key', 'x-client-request-id'],
  responseHeaders: ['x-request-id', 'request-id', 'openai-*', 'x-ratelimit-*', 'retry-after', 'retry-after-ms', 'x-should-retry', 'content-language'],
};
// The buckets that the sums of input and output include.
const INPUT_PARTS = ['cache-read', 'cache-write', 'input-audio', 'input-image'];
const OUTPUT_PARTS = ['reasoning', 'output-audio', 'output-image'];
const LEVELS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];

/** The manifest of a provider. */
export function describe(quirks) {
  const operations = [{ tag: 'chat' }];
  const formats = [{ id: FORMAT, tap: chatTap() }];
  if (quirks.embeddingsPath) {
    operations.push({ tag: 'embeddings' });
    const usage = [usagePlace('input', ['/usage/prompt_tokens'])];
    formats.push({ id: EMBEDDINGS, tap: { usage, model: ['/model'], failure: [present('/error')] } });
  }
  if (quirks.modelsPath) {
    operations.push({ tag: 'models' });
    formats.push({ id: MODELS });
  }
  const { name, version, description, settings, isolation, url, keyVariables, models, auth, tools } = quirks;
  return manifest({
    name, version, description, settings, isolation, url, keyVariables, models, auth, formats,
    family: 'openai',
    accepts: accepts(quirks),
    capabilities: { operations, media: quirks.images ? ['image'] : [], tools, countsTokens: false },
  });
}

function accepts(quirks) {
  const accept = (format, tag, path, more) => ({ format, operation: { tag }, method: 'POST', path, ...HEADERS, ...more });
  const askUsage = { pointer: '/stream_options/include_usage', json: 'true', withheld: equals('/choices', []) };
  const found = [
    accept(FORMAT, 'chat', quirks.chatPath, {
      exclusions: exclusions(quirks),
      askUsage: quirks.streamUsage ? askUsage : undefined,
      preferred: true,
    }),
  ];
  if (quirks.embeddingsPath) found.push(accept(EMBEDDINGS, 'embeddings', quirks.embeddingsPath));
  if (quirks.modelsPath) {
    found.push(accept(MODELS, 'models', quirks.modelsPath, { method: 'GET' }));
    found.push(accept(MODELS, 'models', `${quirks.modelsPath}/{model}`, { method: 'GET' }));
  }
  return found;
}

/** Requests that must be translated. They come from the same data as the translation. */
function exclusions(quirks) {
  const member = (name, reason) => exclusion(present(`/${name}`), reason);
  const found = Object.entries(quirks.drops).map(([name, reason]) => member(name, reason));
  for (const name in quirks.renames) found.push(member(name, 'it has another name here'));
  for (const name in quirks.clamps) found.push(...beyond(`/${name}`, quirks.clamps[name]));
  const refuse = (there, test, reason) => there && found.push(exclusion(test, reason));
  refuse(quirks.maxTokens === 'max_tokens', present('/max_completion_tokens'), 'it is called max_tokens here');
  refuse(quirks.seed !== 'seed', present('/seed'), 'it has another name here');
  refuse(!quirks.developerRole, equals('/messages/*/role', 'developer'), 'the role is not known here');
  refuse(quirks.toolRequired !== 'required', equals('/tool_choice', 'required'), 'it has another word here');
  refuse(!quirks.jsonSchema, equals('/response_format/type', 'json_schema'), 'schemas are not taken');
  refuse(true, equals('/tool_choice/type', 'allowed_tools'), 'the list of tools is narrowed instead');
  refuse(quirks.maxStop < 4, present(`/stop/${quirks.maxStop}`), 'fewer stop sequences are taken');
  refuse(!quirks.speakerNames, present('/messages/*/name'), 'speakers have no names here');
  refuse(!quirks.tools, present('/tools'), 'there are no tools here');
  refuse(quirks.toolIds.exact, present('/messages/*/tool_call_id'), 'ids of calls have another shape here');
  refuse(!quirks.efforts.length, present('/reasoning_effort'), 'thinking cannot be steered here');
  for (const name of ['reasoning_content', 'reasoning', 'reasoning_details']) {
    const other = quirks.thinking && quirks.thinking !== name;
    refuse(other, present(`/messages/*/${name}`), 'thinking in the history has another place here');
  }
  for (const level of LEVELS) {
    refuse(!quirks.efforts.includes(level), equals('/reasoning_effort', level), 'this level is not known here');
  }
  return found;
}

/** Requests with a value below or above the range. */
function beyond(pointer, [least, most]) {
  const reason = `this provider takes ${least} to ${most}`;
  return [below(pointer, least), above(pointer, most)].map((test) => exclusion(test, reason));
}

/** How the relay lane reads chat answers. */
function chatTap() {
  const details = '/usage/prompt_tokens_details';
  const more = '/usage/completion_tokens_details';
  const cached = ['prompt_cache_hit_tokens', 'cached_tokens', 'num_cached_tokens', 'cache_read_input_tokens'];
  const pieces = ['delta/content', 'delta/tool_calls', 'delta/reasoning_content', 'delta/reasoning', 'delta/refusal', 'message'];
  return {
    usage: [
      usagePlace('input', ['/usage/prompt_tokens'], INPUT_PARTS),
      usagePlace('input-audio', [`${details}/audio_tokens`]),
      usagePlace('input-image', [`${details}/image_tokens`]),
      usagePlace('cache-read', [`${details}/cached_tokens`, ...cached.map((name) => `/usage/${name}`)]),
      usagePlace('cache-write', [`${details}/cache_write_tokens`, '/usage/cache_creation_input_tokens']),
      usagePlace('output', ['/usage/completion_tokens'], OUTPUT_PARTS),
      usagePlace('output-audio', [`${more}/audio_tokens`]),
      usagePlace('output-image', [`${more}/image_tokens`]),
      usagePlace('reasoning', [`${more}/reasoning_tokens`]),
    ],
    units: [unitNumber('search', ['/usage/num_search_queries'])],
    serviceTier: ['/service_tier'],
    finish: ['/choices/*/finish_reason'],
    model: ['/model'],
    content: pieces.map((piece) => present(`/choices/*/${piece}`)),
    end: [{ tag: 'data', val: '[DONE]' }],
    failure: [present('/error')],
  };
}
