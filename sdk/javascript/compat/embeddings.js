// Embeddings: requests and answers.
import { Losses } from '../losses.js';
import { answerJson, extensions, fail, post, u32, unreadable } from '../model.js';
import { Raw, count, listOf, objectOf, without, write } from '../wire.js';
import { fromJson } from './errors.js';
import { address, spelling } from './quirks.js';
import { readUsage } from './usage.js';

const FORMAT = 'openai.embeddings';
const OWN = new Set(['object', 'data', 'model', 'id', 'usage']);

/** Writes a request. */
export function renderEmbeddings(quirks, ctx, request) {
  const losses = new Losses();
  for (const member of ['task', 'title']) if (request[member] != null) losses.dropped(member, 'there is no place for it');
  losses.foreign('', request.extensions, FORMAT);
  const inputs = request.inputs.map(input);
  const body = { model: ctx.model || request.model, input: request.single && inputs.length ? inputs[0] : inputs };
  const encoding = request.encoding && (request.encoding === 'base64' ? 'base64' : 'float');
  const given = { encoding_format: encoding, dimensions: u32(request.dimensions), user: request.endUser };
  for (const member in given) {
    const spelled = spelling(quirks, member);
    if (given[member] == null) continue;
    if (spelled === undefined) losses.dropped(member, quirks.drops[member]);
    else body[spelled] = given[member];
  }
  for (const { format, key, json } of request.extensions) if (format === FORMAT) body[key] = new Raw(json);
  return { request: post(address(ctx, quirks.embeddingsPath), write(body)), losses: losses.take() };
}

function input({ tag, val }, at) {
  if (tag === 'media') throw fail('unsupported', 'this provider embeds text only', { param: `input[${at}]` });
  return tag === 'tokens' ? [...val] : val;
}

/** Parses an answer; the vectors are sorted by index. */
export function parseEmbeddings(response) {
  const answer = objectOf(answerJson(response));
  if (answer.error) throw fromJson(answer.error);
  const embeddings = listOf(answer.data).map((entry, at) => {
    const { embedding, index } = objectOf(entry);
    if (embedding == null) throw unreadable("the provider's answer lacks a vector");
    return { index: count(index) ?? at, vector: { tag: typeof embedding === 'string' ? 'base64' : 'floats', val: embedding } };
  });
  embeddings.sort((a, b) => a.index - b.index);
  const kept = extensions(FORMAT, without(answer, OWN));
  return { id: answer.id, model: answer.model, embeddings, usage: readUsage(answer.usage), extensions: kept };
}
