// The base for OpenAI-compatible providers: a provider is its quirks and little else.
//
//     import { provider } from './vendor/sdk/javascript/compat/index.js';
//     export const { about, providerErrors, providerChat, providerModels } = provider({ name: 'zeta', ... });
import { guard } from '../guard.js';
import { ChunkDecoder } from './decoder.js';
import { renderEmbeddings, parseEmbeddings } from './embeddings.js';
import { parseError } from './errors.js';
import { describe } from './manifest.js';
import { parseModels, renderModels } from './models.js';
import { quirks as filled } from './quirks.js';
import { render } from './request.js';
import { parse } from './response.js';

/** All interfaces of a provider; export those that the world names. `hooks` are for what data cannot express. */
export function provider(given, hooks = {}) {
  const quirks = filled(given);
  const self = { quirks, prepare() {}, extend() {}, finish() {}, ...hooks };
  return {
    about: guard('about', { describe: () => describe(quirks) }),
    providerErrors: guard('providerErrors', { parseError }),
    providerChat: guard('providerChat', {
      renderRequest: (ctx, request) => render(self, ctx, request),
      parseResponse: (ctx, response) => parse(self, ctx, response),
      ChatDecoder: class {
        constructor(ctx) {
          this.inner = new ChunkDecoder(self, ctx);
        }
        push(frames) {
          return this.inner.push(frames);
        }
        finish() {
          return this.inner.finish();
        }
      },
    }),
    providerModels: guard('providerModels', {
      renderRequest: (ctx, request) => renderModels(quirks, ctx, request),
      parseResponse: (_, response) => parseModels(response),
    }),
    providerEmbeddings: guard('providerEmbeddings', {
      renderRequest: (ctx, request) => renderEmbeddings(quirks, ctx, request),
      parseResponse: (_, response) => parseEmbeddings(response),
    }),
  };
}
