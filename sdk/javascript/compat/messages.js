// Renders messages. One message of the unified model may become several, since tool results are separate messages here.
import { fail } from '../model.js';
import { fit } from '../names.js';
import { Raw, raw } from '../wire.js';
import { FORMAT } from './quirks.js';

/** Renders all messages of a request. */
export function writeMessages(writer, messages) {
  const out = [];
  const lifted = [];
  messages.forEach((message, at) => {
    const field = `messages[${at}]`;
    const results = message.parts.filter((part) => part.tag === 'tool-result');
    for (const result of results) out.push(toolMessage(writer, field, result.val, lifted));
    if (results.length && results.length === message.parts.length) {
      return writer.losses.foreign(`${field}.`, message.extensions, FORMAT);
    }
    putLifted(writer, lifted, out);
    if (message.role.tag === 'assistant') out.push(assistant(writer, field, message, lifted));
    else out.push(...speaker(writer, field, message));
  });
  putLifted(writer, lifted, out);
  return out;
}

/** Adds a user message with media that their own messages cannot contain. */
function putLifted(writer, lifted, out) {
  if (!lifted.length) return;
  const pieces = lifted.splice(0).map((media) => mediaPart(writer, 'messages[].content[]', media));
  out.push({ role: 'user', content: contentOf(writer, 'messages[]', pieces) });
}

function roleOf(writer, { tag, val }) {
  if (tag === 'system' || (tag === 'developer' && !writer.quirks.developerRole)) return 'system';
  return tag === 'other' ? val : tag === 'developer' ? tag : 'user';
}

/** Writes a message of a role that has only content. */
function speaker(writer, field, message) {
  const pieces = [];
  let foreign = false;
  message.parts.forEach(({ tag, val }, at) => {
    const place = `${field}.content[${at}]`;
    if (tag === 'text') pieces.push(textPart(writer, place, val));
    else if (tag === 'media') pieces.push(mediaPart(writer, place, val));
    else if (tag === 'refusal') pieces.push({ type: 'text', text: val });
    else if (tag === 'opaque' && val.format === FORMAT) pieces.push(new Raw(val.json));
    else if (tag === 'opaque') foreign = (writer.losses.dropped(place, val.kind), true);
    else if (tag === 'reasoning') loseThinking(writer, field);
    else if (tag === 'tool-call') writer.refuse(place, 'only the assistant calls tools');
  });
  if (foreign && !pieces.length) writer.refuse(`${field}.content`, 'nothing in it is known to this provider');
  const head = { role: roleOf(writer, message.role), ...nameOf(writer, field, message) };
  const own = writer.own(`${field}.`, message.extensions);
  const system = message.role.tag === 'system' || message.role.tag === 'developer';
  // One message for each block: joining blocks would put words together that their author did not.
  const blocks = system && !writer.quirks.textLists && pieces.length > 1 ? pieces.map((piece) => [piece]) : [pieces];
  return blocks.map((block) => ({ ...head, content: contentOf(writer, field, block), ...own }));
}

function nameOf(writer, field, message) {
  if (message.name == null || writer.quirks.speakerNames) return { name: message.name };
  writer.losses.dropped(`${field}.name`, 'speakers have no names here');
  return {};
}

function assistant(writer, field, message, lifted) {
  const pieces = [];
  const calls = [];
  const thoughts = [];
  let refusal;
  message.parts.forEach(({ tag, val }, at) => {
    if (tag === 'text') {
      pieces.push(textPart(writer, `${field}.content[${at}]`, val));
      if (val.signature != null) writer.losses.dropped(`${field}.extra_content`, 'it returns to its issuer only');
    } else if (tag === 'tool-call') calls.push(callOf(writer, field, val));
    else if (tag === 'refusal') refusal = val;
    else if (tag === 'reasoning') thoughts.push(val);
    else if (tag === 'media') lifted.push(val);
    else if (tag === 'opaque' && val.format === FORMAT) pieces.push(new Raw(val.json));
    else if (tag === 'opaque') writer.losses.dropped(`${field}.content[${at}]`, val.kind);
  });
  const silent = !pieces.length && (calls.length || refusal !== undefined);
  return {
    role: 'assistant',
    ...nameOf(writer, field, message),
    content: silent ? raw('null') : contentOf(writer, field, pieces),
    refusal,
    ...thinking(writer, field, thoughts),
    tool_calls: calls.length ? calls : undefined,
    ...writer.own(`${field}.`, message.extensions),
  };
}

/** Renders the history's thinking. */
function thinking(writer, field, thoughts) {
  if (!thoughts.length) return {};
  if (!writer.quirks.thinking) return loseThinking(writer, field);
  if (thoughts.some((thought) => thought.signature != null || thought.encrypted != null)) {
    writer.losses.dropped(`${field}.reasoning_details`, 'opaque values return to their issuer only');
  }
  const words = thoughts.map((thought) => thought.text ?? '').join('');
  return words ? { [writer.quirks.thinking]: words } : {};
}

function loseThinking(writer, field) {
  // Reported once a request: a long history would fill the losses with the same line.
  if (!writer.thinkingLost) writer.losses.dropped(`${field}.reasoning_content`, 'thinking has no place in this history');
  writer.thinkingLost = true;
  return {};
}

function callOf(writer, field, call) {
  const place = `${field}.tool_calls[]`;
  if (call.kind === 'custom') writer.refuse(`${field}.tool_calls`, 'custom tools are not taken by this provider');
  if (call.signature != null) writer.losses.dropped(`${place}.signature`, 'it returns to its issuer only');
  writer.cacheLost(place, call.cache);
  return {
    id: fit(writer.quirks.toolIds, call.id),
    type: 'function',
    function: { name: writer.names.send(call.name), arguments: call.arguments.trim() ? call.arguments : '{}' },
    ...writer.own(`${place}.`, call.extensions),
  };
}

function toolMessage(writer, field, result, lifted) {
  const pieces = result.content.map(({ tag, val }, at) => {
    const place = `${field}.content[${at}]`;
    if (tag === 'text') return textPart(writer, place, val);
    if (tag === 'json') return { type: 'text', text: val };
    if (tag === 'opaque' && val.format === FORMAT) return new Raw(val.json);
    if (tag === 'opaque') writer.refuse(place, "this part of a tool's result belongs to another format");
    writer.losses.approximated(place, 'moved to a user message of its own');
    lifted.push(val);
    return { type: 'text', text: '[see the next user message]' };
  });
  if (result.isError) writer.losses.dropped(`${field}.is_error`, 'there is no place for it');
  writer.cacheLost(field, result.cache);
  return {
    role: 'tool',
    tool_call_id: fit(writer.quirks.toolIds, result.callId),
    name: result.name,
    content: contentOf(writer, field, pieces),
    ...writer.own(`${field}.`, result.extensions),
  };
}

/** Writes content as one string if that loses nothing, else as a list. */
function contentOf(writer, field, pieces) {
  if (!pieces.length) return '';
  const plain = pieces.every((piece) => piece.type === 'text' && Object.keys(piece).length === 2);
  if (plain && pieces.length === 1) return pieces[0].text;
  if (!plain || writer.quirks.textLists) return pieces;
  writer.losses.approximated(`${field}.content`, 'several texts are joined');
  return pieces.map((piece) => piece.text).join('\n');
}

function textPart(writer, field, part) {
  writer.cacheLost(field, part.cache);
  return { type: 'text', text: part.text, ...writer.own(`${field}.`, part.extensions) };
}

function mediaPart(writer, field, media) {
  const { tag, val } = media.source;
  if (tag === 'text') {
    writer.losses.approximated(field, 'a text document is sent as text');
    return { type: 'text', text: media.name ? `${media.name}\n${val}` : val };
  }
  if (media.kind !== 'image' || !writer.quirks.images || tag === 'file-id') {
    writer.refuse(field, 'this provider does not take such media in chat');
  }
  if (tag === 'url' && !writer.quirks.imageUrls) {
    // The host fetches the bytes, if the operator allows it, and renders the request again.
    throw fail('unsupported', 'this provider takes images as bytes only', { code: 'media_url', param: field });
  }
  const url = tag === 'url' ? val : `data:${media.mime ?? sniffed(writer.ctx, val)};base64,${val}`;
  writer.cacheLost(field, media.cache);
  const image = { url, detail: detail(writer, field, media) };
  return { type: 'image_url', image_url: image, ...writer.own(`${field}.`, media.extensions) };
}

/** The level of an image's detail. OpenAI's Responses have one above the highest here. */
function detail(writer, field, media) {
  if (media.detail !== 'original') return media.detail;
  writer.losses.clamped(`${field}.detail`, '`high` is the highest level here');
  return 'high';
}

/** The media type that the first bytes show; those of a blob come from the context. */
function sniffed(ctx, data) {
  const head = ctx.blobs.find((blob) => blob.token === data)?.head ?? data;
  const kinds = { iVBORw0KGgo: 'image/png', '/9j/': 'image/jpeg', R0lGOD: 'image/gif', UklGR: 'image/webp' };
  return kinds[Object.keys(kinds).find((start) => head.startsWith(start))] ?? 'image/png';
}
