// acme: an OpenAI-compatible provider, as an adapter for Weir.
//
// Most of a compatible provider is data, its quirks. Each has a default that suits most servers;
// `vendor/sdk/javascript/compat/index.d.ts` lists them all. Hooks, such as the two below, are for what data cannot
// express.
// @ts-check
import { provider } from '../vendor/sdk/javascript/compat/index.js';

/** @type {import('../vendor/sdk/javascript/compat/index.js').Quirks} */
const quirks = {
  name: 'acme',
  description: 'acme: chat completions and models',
  version: '0.1.0',
  // The provider's address, and the usual environment variable of its key.
  url: 'https://api.acme.example/v1/',
  keyVariables: [],
  // The served models, as globs.
  models: ['acme-*'],
  // Members that the provider does not take, and why: they are dropped with a note, and a request with one of them is
  // translated even if the client uses this format.
  drops: { logit_bias: 'there is no such parameter', top_k: 'there is no such parameter' },
  // Numbers with a narrower range than the format's.
  clamps: { temperature: [0, 1] },
};

/** @type {import('../vendor/sdk/javascript/compat/index.js').Hooks} */
const hooks = {
  /** Changes a request before it is rendered. */
  prepare(ctx, request, losses) {},
  /** Finish reasons that only this provider has, in the contract's words. */
  finish(word) {
    return word === 'done' ? 'complete' : undefined;
  },
};

export const { about, providerErrors, providerChat, providerModels } = provider(quirks, hooks);
