// Renders requests: from the unified model to the provider's format.
import { Losses } from '../losses.js';
import { fail, findExtension, post, u32 } from '../model.js';
import { Names } from '../names.js';
import { Raw, members, raw, write } from '../wire.js';
import { writeMessages } from './messages.js';
import { FORMAT, address, spelling } from './quirks.js';

// Levels of effort in ascending order, and the budget up to which each is used.
const LEVELS = { none: 0, minimal: 512, low: 2048, medium: 8192, high: 32768, xhigh: 65536, max: Infinity };

/** Renders a chat request. */
export function render(provider, ctx, request) {
  const writer = new Writer(provider.quirks, ctx);
  provider.prepare(ctx, request, writer.losses);
  writer.write(request);
  provider.extend(ctx, request, writer.body, writer.losses);
  const http = post(address(ctx, provider.quirks.chatPath), write(writer.body));
  return { request: http, losses: writer.losses.take(), memo: writer.names.toMemo() };
}

/** Renders one request and collects the losses. */
class Writer {
  constructor(quirks, ctx) {
    this.quirks = quirks;
    this.ctx = ctx;
    this.losses = new Losses();
    this.names = new Names(quirks.toolNames);
    this.body = {};
    this.thinkingLost = false;
  }

  /** Writes the body, in the order of the official clients. */
  write(request) {
    this.body.model = this.ctx.model || request.model;
    this.body.messages = writeMessages(this, request.messages);
    this.tools(request);
    this.output(request.output);
    this.sampling(request.sampling);
    this.number(this.quirks.maxTokens, u32(request.maxOutputTokens));
    this.effort(request.reasoning);
    this.stream(request);
    this.endUser(request);
    this.put('metadata', raw(request.metadata));
    this.put('service_tier', request.serviceTier);
    this.put('prompt_cache_key', request.cacheKey);
    const { stream_options: _, ...own } = this.own('', request.extensions);
    for (const key in own) this.put(key, own[key]);
  }

  // ---- Members ---------------------------------------------------------------------------------------------------------

  /** Adds a member under the provider's name, if the provider takes it. */
  put(member, value) {
    if (value == null) return;
    const spelled = spelling(this.quirks, member);
    if (spelled === undefined) this.losses.dropped(member, this.quirks.drops[member]);
    else this.body[spelled] = value;
  }

  /** Adds a number, moved into the provider's range. */
  number(member, value) {
    if (value == null) return;
    const [low, high] = this.quirks.clamps[member] ?? [value, value];
    const allowed = Math.min(Math.max(value, low), high);
    if (allowed !== value) this.losses.clamped(member, "out of the provider's range");
    this.put(member, allowed);
  }

  /** The format's own members; those of other formats are reported as lost. */
  own(place, extensions) {
    const found = {};
    if (extensions.length === 0) return found;
    this.losses.foreign(place, extensions, FORMAT);
    for (const { format, key, json } of extensions) if (format === FORMAT && json !== 'null') found[key] = new Raw(json);
    return found;
  }

  /** Reports a cache hint as lost. */
  cacheLost(field, hint) {
    if (hint != null) this.losses.dropped(`${field}.cache_control`, "caching is the provider's own affair");
  }

  /** Refuses the request because of a value that must not be lost. */
  refuse(field, message) {
    throw fail('unsupported', message, { param: field });
  }

  // ---- Groups of members -----------------------------------------------------------------------------------------------

  sampling(s) {
    this.number('temperature', s.temperature);
    this.number('top_p', s.topP);
    this.number('top_k', u32(s.topK));
    this.number('frequency_penalty', s.frequencyPenalty);
    this.number('presence_penalty', s.presencePenalty);
    this.number('n', u32(s.candidates));
    this.put('logprobs', s.logprobs);
    this.number('top_logprobs', u32(s.topLogprobs));
    // As text: a seed may have more digits than a JavaScript number holds.
    if (/^-?(0|[1-9]\d*)$/.test(s.seed ?? '')) this.put(this.quirks.seed, raw(s.seed));
    const stop = s.stop.slice(0, this.quirks.maxStop);
    if (stop.length < s.stop.length) this.losses.clamped('stop', 'too many stop sequences; the first ones are sent');
    if (stop.length) this.put('stop', stop);
  }

  output(output) {
    if (output == null) return;
    if (output.tag === 'opaque') {
      if (output.val.format === FORMAT) this.put('response_format', raw(output.val.json));
      else this.losses.dropped('response_format', 'it belongs to another format');
      return;
    }
    if (output.tag === 'schema' && this.quirks.jsonSchema) {
      const { name, description, schema, strict } = output.val;
      const inner = { name: name ?? 'response', description, schema: raw(schema), strict };
      return this.put('response_format', { type: 'json_schema', json_schema: inner });
    }
    if (output.tag === 'schema') {
      this.losses.approximated('response_format', 'schemas are not taken: any JSON object is asked for');
    }
    this.put('response_format', { type: output.tag === 'plain' ? 'text' : 'json_object' });
  }

  /** Asks for usage in every stream: the host meters it, and removes it if the client did not ask. */
  stream(request) {
    if (!request.stream) return;
    this.body.stream = true;
    const given = findExtension(request.extensions, FORMAT, 'stream_options');
    const options = { ...(this.quirks.streamUsage && { include_usage: true }), ...(given && members(given)) };
    if (Object.keys(options).length) this.put('stream_options', options);
  }

  /** `user`, unless a note says that the newer `safety_identifier` was used. */
  endUser(request) {
    const newer = findExtension(request.extensions, FORMAT, 'safety_identifier') === 'null';
    this.put(newer ? 'safety_identifier' : 'user', request.endUser);
  }

  effort(asked) {
    if (asked == null) return;
    if (!this.quirks.efforts.length) {
      this.losses.dropped('reasoning_effort', "this provider's thinking cannot be steered");
    } else {
      this.level(asked);
      if (asked.summary != null) this.losses.dropped('reasoning.summary', 'thinking is shown as the provider likes');
    }
    const { reasoning: _, thinking: __, ...own } = this.own('', asked.extensions);
    for (const key in own) this.put(key, own[key]);
  }

  /** Writes `reasoning_effort`; a budget becomes the nearest level. */
  level(asked) {
    let wanted = asked.effort;
    if (wanted == null && asked.mode === 'disabled') wanted = 'none';
    if (wanted == null && asked.budgetTokens != null) {
      this.losses.approximated('reasoning.budget_tokens', 'said as a level of effort');
      wanted = Object.keys(LEVELS).find((level) => u32(asked.budgetTokens) <= LEVELS[level]);
    }
    if (wanted == null) return;
    const level = this.nearest(wanted);
    if (level === undefined) return this.losses.dropped('reasoning_effort', 'thinking cannot be turned off here');
    if (level !== wanted) this.losses.clamped('reasoning_effort', 'moved to the nearest level known here');
    this.put('reasoning_effort', level);
  }

  /** The nearest level that the provider knows. An unknown level is kept, and "none" never becomes another. */
  nearest(wanted) {
    const ranks = Object.keys(LEVELS);
    const known = this.quirks.efforts;
    if (known.includes(wanted) || !ranks.includes(wanted)) return wanted;
    if (wanted === 'none') return undefined;
    const distance = (level) => Math.abs(ranks.indexOf(level) - ranks.indexOf(wanted));
    return known.filter((level) => level !== 'none' && ranks.includes(level)).sort((a, b) => distance(a) - distance(b))[0];
  }

  tools(request) {
    const choice = request.toolChoice;
    const narrowed = choice?.tag === 'allowed' ? choice.val.names : null;
    if (request.tools.length && !this.quirks.tools) this.refuse('tools', 'this provider has no tools');
    const tools = [];
    request.tools.forEach((tool, at) => {
      if (tool.tag === 'opaque') this.refuse(`tools[${at}]`, 'this provider has no such tool');
      else if (!narrowed || narrowed.includes(tool.val.name)) tools.push(this.function(`tools[${at}]`, tool.val));
    });
    if (tools.length) this.body.tools = tools;
    if (choice != null) this.choice(choice);
    if (tools.length) this.put('parallel_tool_calls', request.parallelToolCalls);
    else if (request.parallelToolCalls != null) this.losses.dropped('parallel_tool_calls', 'there are no tools');
  }

  function(field, tool) {
    this.cacheLost(field, tool.cache);
    const { function: inner, ...others } = this.own(`${field}.`, tool.extensions);
    const { description, strict } = tool;
    const own = { name: this.names.send(tool.name), description, parameters: raw(tool.parameters), strict };
    return { type: 'function', function: { ...own, ...(inner && members(inner.json)) }, ...others };
  }

  choice({ tag, val }) {
    if (tag === 'automatic') this.put('tool_choice', 'auto');
    if (tag === 'disabled') this.put('tool_choice', 'none');
    if (tag === 'required') this.put('tool_choice', this.quirks.toolRequired);
    if (tag === 'named') this.put('tool_choice', { type: 'function', function: { name: this.names.send(val) } });
    if (tag === 'allowed') {
      this.losses.approximated('tool_choice', 'the list of tools is narrowed instead');
      this.put('tool_choice', val.required ? this.quirks.toolRequired : 'auto');
    }
    if (tag !== 'opaque') return;
    if (val.format === FORMAT) this.put('tool_choice', raw(val.json));
    else this.losses.dropped('tool_choice', 'it belongs to another format');
  }
}
