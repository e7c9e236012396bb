// Lists of models.
import { answerJson, extensions, get, wordsOf } from '../model.js';
import { count, listOf, objectOf, without } from '../wire.js';
import { fromJson } from './errors.js';
import { address, escape } from './quirks.js';
import { createdMs } from './response.js';

const FORMAT = 'openai.models';
const OWN = new Set(['id', 'object', 'created', 'owned_by']);
const CONTEXT = ['context_length', 'context_window', 'max_context_length', 'max_model_len'];
const OUTPUT = ['max_completion_tokens', 'max_output_tokens', 'max_output_length'];

/** Requests the list, or one model. The list has a single page. */
export function renderModels(quirks, ctx, request) {
  const one = request.id == null ? '' : `/${request.id.split('/').map(escape).join('/')}`;
  return { request: get(address(ctx, quirks.modelsPath) + one) };
}

/** Parses a list, with or without its wrapper, or one model. */
export function parseModels(response) {
  const answer = answerJson(response);
  if (objectOf(answer).error) throw fromJson(answer.error);
  const entries = Array.isArray(answer) ? answer : Array.isArray(answer?.data) ? answer.data : [answer];
  return { models: listOf(entries).map(objectOf).filter((entry) => entry.id != null).map(model) };
}

function model(entry) {
  const first = (keys) => keys.map((key) => count(entry[key])).find((found) => found !== undefined);
  const name = entry.display_name ?? entry.name;
  return {
    id: wordsOf(entry.id),
    displayName: typeof name === 'string' ? name : undefined,
    createdMs: createdMs(entry),
    owner: entry.owned_by,
    contextTokens: first(CONTEXT),
    outputTokens: first(OUTPUT),
    extensions: extensions(FORMAT, without(entry, OWN)),
  };
}
