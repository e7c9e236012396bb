// Tool calls in pieces. Servers omit, repeat and reuse `index` and `id`, so a call collects the aliases that it was
// sent under.
import { wordsOf } from '../model.js';
import { count, isEmpty, objectOf } from '../wire.js';

/** One piece of a call. */
export class Piece {
  constructor(wire) {
    const fn = objectOf(wire.function);
    const custom = objectOf(wire.custom);
    this.custom = !isEmpty(custom) && (isEmpty(fn) || wire.type === 'custom');
    const named = this.custom ? custom : fn;
    this.index = count(wire.index);
    this.id = wordsOf(wire.id);
    this.name = wordsOf(named.name);
    this.text = wordsOf(this.custom ? named.input : named.arguments);
  }

  /** Whether the piece can begin a call. */
  get opens() {
    return Boolean(this.id || this.name);
  }
}

/** Tracks whether a JSON text is complete. */
class Progress {
  depth = 0;
  inside = false;
  escape = false;
  complete = false;

  take(text) {
    for (const letter of text) {
      if (this.escape) this.escape = false;
      else if (this.inside) {
        this.escape = letter === '\\';
        this.inside = letter !== '"';
      } else if (letter === '"') this.inside = true;
      else if (letter === '{' || letter === '[') {
        this.depth++;
        this.complete = false;
      } else if (letter === '}' || letter === ']') {
        this.depth = Math.max(this.depth - 1, 0);
        this.complete ||= this.depth === 0;
      }
    }
  }
}

/** One call of a candidate and its known aliases. */
export class Call {
  index = undefined;
  /** The provider's id or a generated one, and the first id that the provider used for the call. */
  id = '';
  alias = '';
  name = '';
  custom = false;
  stopped = false;
  /** Arguments that arrived before the name. */
  waiting = '';
  /** The number of its part, after the start. */
  part = undefined;
  progress = new Progress();

  /** Records a piece's aliases and buffers its text until the call can start. */
  learn(piece) {
    this.#takeNames(piece);
    this.progress.take(piece.text);
    this.waiting += piece.text;
  }

  /** Adds a piece to a started call; returns the text to emit. */
  add(piece) {
    this.#takeNames(piece);
    // A complete value takes nothing more, not even the whole value that some servers repeat at the end.
    if (this.progress.complete && !this.custom) return '';
    this.progress.take(piece.text);
    return piece.text;
  }

  /** Whether the piece begins another call under the same aliases. */
  isOver(piece) {
    if (!piece.name) return false;
    const renamed = this.name !== '' && this.name !== piece.name;
    return renamed || (this.progress.complete && piece.text.trim() !== '');
  }

  #takeNames(piece) {
    this.index ??= piece.index;
    this.custom ||= piece.custom;
    this.alias ||= piece.id;
    this.name ||= piece.name;
  }
}

/** The call that a piece belongs to; undefined if it begins another. */
export function findCall(calls, piece) {
  const sameIndex = (call) => piece.index !== undefined && call.index === piece.index;
  let found;
  if (piece.id) {
    found = calls.findLast((call) => call.alias === piece.id) ?? calls.findLast((call) => sameIndex(call) && !call.alias);
  } else if (piece.index !== undefined) {
    found = calls.findLast(sameIndex) ?? (piece.name ? undefined : calls.at(-1));
  } else if (piece.name) {
    found = calls.findLast((call) => !call.name);
  } else {
    found = calls.at(-1);
  }
  return found?.isOver(piece) ? undefined : found;
}
