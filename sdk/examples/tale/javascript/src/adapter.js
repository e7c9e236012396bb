// tale: an adapter for Weir, for a provider with its own format.
//
// `../../README.md` describes the format. Values that it has no place for are refused or reported as a loss.
// @ts-check
import * as weir from '../vendor/sdk/javascript/index.js';

const FORMAT = 'tale';
/** @type {Record<string, import('../vendor/sdk/javascript/types.js').FinishReason>} */
const ENDS = { done: 'complete', pages: 'length' };

export const about = weir.guard('about', {
  describe: () =>
    weir.manifest.manifest({
      name: 'tale',
      version: '0.1.0',
      description: 'tale: tellings, whole and line by line',
      url: 'https://api.tale.example/',
      models: ['tale-*'],
      formats: [{ id: FORMAT }],
      accepts: [{ format: FORMAT, operation: { tag: 'chat' }, method: 'POST', path: 'tell' }],
      capabilities: { operations: [{ tag: 'chat' }] },
    }),
});

/** @type {Record<number, import('../vendor/sdk/javascript/types.js').ErrorKind>} */
const KINDS = { 401: 'authentication', 404: 'not-found', 429: 'rate-limited' };

export const providerErrors = weir.guard('providerErrors', {
  parseError(ctx, response) {
    let words;
    try {
      words = JSON.parse(weir.bodyText(response.body))?.burnt;
    } catch {
      // The body may be anything: a page of HTML, or nothing.
    }
    const kind = KINDS[response.status] ?? (response.status < 500 ? 'invalid-request' : 'upstream');
    return weir.fail(kind, words ?? `the provider answered with status ${response.status}`);
  },
});

/** Keeps state between frames: whether the part has begun, and whether the answer has ended. */
class ChatDecoder {
  begun = false;
  ended = false;

  /** @param {import('../vendor/sdk/javascript/types.js').Frame[]} frames */
  push(frames) {
    return { events: frames.flatMap((frame) => this.frame(JSON.parse(frame.data))) };
  }

  /** @param {any} frame */
  frame(frame) {
    /** @type {any[]} */
    const events = [];
    if ('opens' in frame) events.push({ tag: 'start', val: { id: frame.opens } });
    if ('says' in frame) {
      if (!this.begun) events.push(weir.partStart(0, 0, { tag: 'text' }));
      this.begun = true;
      events.push(weir.delta(0, 0, frame.says));
    }
    if ('closes' in frame) {
      this.ended = true;
      if (this.begun) events.push(weir.partStop(0, 0));
      events.push({ tag: 'usage', val: usage(frame.ink) }, weir.finished(0, ending(frame.closes)));
    }
    if ('burnt' in frame) {
      this.ended = true;
      events.push({ tag: 'failure', val: weir.unreadable(frame.burnt) });
    }
    return events;
  }

  /**
   * An answer without its last line was cut off, however orderly its bytes ended.
   * @returns {{ events: any[] }}
   */
  finish() {
    return { events: this.ended ? [] : [{ tag: 'failure', val: weir.unreadable('the tale broke off') }] };
  }
}

export const providerChat = weir.guard('providerChat', {
  renderRequest(ctx, request) {
    if (request.tools.length > 0) throw weir.fail('unsupported', 'there are no tools here', { param: 'tools' });
    const losses = new weir.Losses();
    if (request.sampling.temperature != null) losses.dropped('temperature', 'tellers have one temper');
    const said = request.messages.map((message, at) => ({ role: message.role.tag, says: words(message, at) }));
    const isSystem = (/** @type {{ role: string }} */ one) => one.role === 'system' || one.role === 'developer';
    const prologue = said.filter(isSystem).map((one) => one.says).join('\n');
    const lines = said.filter((one) => !isSystem(one));
    const body = {
      teller: ctx.model || request.model,
      prologue: prologue || undefined,
      lines: lines.map(({ role, says }) => ({ by: role === 'assistant' ? 'teller' : 'reader', says })),
      pages: weir.u32(request.maxOutputTokens),
      live: request.stream || undefined,
    };
    const framing = request.stream ? /** @type {const} */ ('ndjson') : undefined;
    return { request: weir.post('tell', weir.wire.write(body)), losses: losses.take(), framing };
  },

  parseResponse(ctx, response) {
    const answer = weir.answerJson(response);
    const told = { parts: [weir.text(answer.told)], finish: ending(answer.why) };
    const whole = { id: answer.tale, candidates: [told], usage: usage(answer.ink) };
    return { tag: 'complete', val: { response: whole } };
  },

  ChatDecoder,
});

/**
 * The words of a message. The format has nothing else, and leaving parts out would change what was asked.
 * @param {import('../vendor/sdk/javascript/types.js').Message} message
 * @param {number} at
 */
function words(message, at) {
  const said = message.parts.map((part, number) => {
    if (part.tag === 'text') return part.val.text;
    throw weir.fail('unsupported', 'only text can be told', { param: `messages[${at}].content[${number}]` });
  });
  return said.join('\n');
}

/** @param {string} word */
const ending = (word) => weir.finish(ENDS[word] ?? 'other', word);

/** @param {{ read?: number, spent?: number } | undefined} ink */
const usage = (ink) => weir.usage({ input: ink?.read, output: ink?.spent });
