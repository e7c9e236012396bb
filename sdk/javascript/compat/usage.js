// Token counts: from the totals of OpenAI's format to disjoint buckets.
import { extensions, unit } from '../model.js';
import { count, isEmpty, objectOf, without } from '../wire.js';
import { FORMAT } from './quirks.js';

const CACHED = ['cached_tokens', 'prompt_cache_hit_tokens', 'num_cached_tokens', 'cache_read_input_tokens'];
const OWN = new Set([
  'prompt_tokens', 'completion_tokens', 'total_tokens', 'prompt_tokens_details', 'completion_tokens_details',
  'cache_creation_input_tokens', ...CACHED,
]);
const INSIDE = new Set(['cached_tokens', 'cache_write_tokens']);
const OUTSIDE = new Set(['reasoning_tokens']);

/** The unknown members, including nulls. */
const others = (object, known) => Object.fromEntries(Object.entries(object).filter(([key]) => !known.has(key)));

/** Parses usage; undefined if every figure is null. */
export function readUsage(given) {
  const wire = objectOf(given);
  const inside = objectOf(wire.prompt_tokens_details);
  const outside = objectOf(wire.completion_tokens_details);
  const cached = [inside.cached_tokens, ...CACHED.map((name) => wire[name])].map(count).find((n) => n !== undefined);
  const written = count(inside.cache_write_tokens) ?? count(wire.cache_creation_input_tokens);
  const thought = count(outside.reasoning_tokens);
  const [input, cacheRead, cacheWrite] = inputOf(wire, cached, written);
  const [output, reasoning] = outputOf(wire, thought);
  const rest = without(wire, OWN);
  // Figures without a bucket, and one that exceeds its sum, are kept as the server sent them.
  const more = { ...(cached !== cacheRead && { cached_tokens: cached }), ...others(inside, INSIDE) };
  const also = { ...(thought !== reasoning && { reasoning_tokens: thought }), ...others(outside, OUTSIDE) };
  if (!isEmpty(more)) rest.prompt_tokens_details = more;
  if (!isEmpty(also)) rest.completion_tokens_details = also;
  const figures = [input, cacheRead, cacheWrite, output, reasoning];
  if (isEmpty(rest) && figures.every((figure) => figure === undefined)) return undefined;
  const [plainInput, inputAudio, inputImage] = modalities(input, inside);
  const [plainOutput, outputAudio, outputImage] = modalities(output, outside);
  const searches = count(wire.num_search_queries);
  return {
    input: plainInput, inputAudio, inputImage, cacheRead, cacheWrite,
    output: plainOutput, outputAudio, outputImage, reasoning,
    units: searches === undefined ? [] : [unit('search', searches)],
    extensions: extensions(FORMAT, rest),
  };
}

/** Splits a total: the rest, audio and images. The details keep these counts too; a count of zero is only there. */
function modalities(sum, details) {
  if (sum === undefined) return [undefined, undefined, undefined];
  const audio = Math.min(count(details.audio_tokens) ?? 0, sum);
  const image = Math.min(count(details.image_tokens) ?? 0, sum - audio);
  return [sum - audio - image, audio || undefined, image || undefined];
}

/** Whether the total is the sum of input, output and `more`. */
const sumsUp = (wire, more) => count(wire.total_tokens) === count(wire.prompt_tokens) + count(wire.completion_tokens) + more;

/**
 * Splits input into uncached input, cache reads and cache writes. If the cached tokens exceed the input, the server
 * does not include them in it; if its total shows that it does, they are capped at the input.
 */
function inputOf(wire, read, written) {
  const prompt = count(wire.prompt_tokens);
  if (prompt === undefined) return [undefined, read, written];
  const rest = prompt - (read ?? 0);
  if (rest < 0 && sumsUp(wire, 0)) return [0, prompt, written === undefined ? undefined : 0];
  if (rest < 0) return [prompt, read, written];
  return [rest >= (written ?? 0) ? rest - (written ?? 0) : rest, read, written];
}

/**
 * Splits output into output without thinking, and thinking. Most servers include thinking; the total shows which do
 * not.
 */
function outputOf(wire, thought) {
  const completion = count(wire.completion_tokens);
  if (completion === undefined || thought === undefined || (thought > 0 && sumsUp(wire, thought))) return [completion, thought];
  if (completion >= thought) return [completion - thought, thought];
  return sumsUp(wire, 0) ? [0, completion] : [completion, thought];
}
