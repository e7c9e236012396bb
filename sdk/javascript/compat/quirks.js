// The differences between OpenAI-compatible providers, as data.
import { bearer, noKey } from '../manifest.js';
import { option } from '../model.js';
import { ANY, NAME } from '../names.js';

/** The id of the format. */
export const FORMAT = 'openai.chat';

/** What most compatible servers take; `index.d.ts` describes each member. */
const COMPATIBLE = {
  description: 'An OpenAI-compatible provider',
  version: '0.1.0',
  url: undefined,
  keyVariables: [],
  models: [],
  settings: '',
  isolation: 'tenant',
  auth: [bearer(), noKey()],
  chatPath: 'chat/completions',
  modelsPath: 'models',
  embeddingsPath: '',
  maxTokens: 'max_tokens',
  seed: 'seed',
  drops: {},
  renames: {},
  clamps: {},
  maxStop: 4,
  developerRole: false,
  textLists: true,
  speakerNames: true,
  streamUsage: true,
  tools: true,
  toolRequired: 'required',
  toolIds: ANY,
  toolNames: NAME,
  jsonSchema: true,
  efforts: ['low', 'medium', 'high'],
  thinking: 'reasoning_content',
  images: true,
  imageUrls: true,
  noise: ['obfuscation', 'p'],
};

/** The quirks with every default filled in. */
export function quirks(given) {
  for (const key in given) {
    if (key !== 'name' && !(key in COMPATIBLE)) throw new TypeError(`there is no quirk ${key}`);
  }
  return { ...COMPATIBLE, ...given };
}

/** The provider's name of a member; undefined if the provider does not take it. */
export const spelling = (quirks, member) => (member in quirks.drops ? undefined : quirks.renames[member] ?? member);

/** A path with its placeholders filled: `{model}` and `{option.NAME}`. */
export const address = (ctx, path) =>
  path.replace(/\{([^}]*)\}/g, (_, placeholder) => escape(placeholder === 'model' ? ctx.model : option(ctx, placeholder.replace(/^option\./, ''), '')));

/** Percent-encodes characters that are not allowed in a path segment. */
export const escape = (text) =>
  encodeURIComponent(text).replace(/%(3A|40)|[!'()*]/g, (found, kept) => (kept ? decodeURIComponent(found) : `%${found.charCodeAt(0).toString(16).toUpperCase()}`));
