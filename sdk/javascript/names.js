// Changes ids and names that a format would refuse, so that each stays distinct, and restores them.
//
// A name that does not fit is shortened and ends in a hash of the whole, so that the same name always gives the same
// result and different names stay different. The Rust SDK has the same rule.

/** Allows any name. */
export const ANY = { max: 2 ** 30 };
/** OpenAI's rule for names of tools. */
export const NAME = { max: 64, also: '_-' };

const allows = (rule, letter) => rule.also === undefined || /^[A-Za-z0-9]$/.test(letter) || rule.also.includes(letter);

/** Whether the rule allows `text`. `rule`: `{ max, also, exact }`. */
export function fits(rule, text) {
  const letters = rule.also === undefined && text.length < rule.max && !rule.exact ? null : [...text];
  if (letters === null) return text.length > 0;
  if (letters.length === 0 || letters.length > rule.max || (rule.exact && letters.length !== rule.max)) return false;
  return letters.every((letter) => allows(rule, letter));
}

/** `text` changed to fit the rule, always in the same way. */
export function fit(rule, text) {
  if (fits(rule, text)) return text;
  const digits = fnv(text);
  if (rule.exact || rule.max <= 16) return digits.slice(0, Math.min(rule.max, 16));
  const joint = allows(rule, '_') ? '_' : '';
  const room = Math.min(rule.max - 12 - joint.length, 128);
  const clean = [...text].slice(0, room).map((letter) => (allows(rule, letter) ? letter : joint || 'x'));
  return clean.join('') + joint + digits.slice(0, 12);
}

/** FNV-1a, 64 bits, as hexadecimal digits. */
function fnv(text) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of utf8(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

const utf8 = (text) => [...unescape(encodeURIComponent(text))].map((letter) => letter.charCodeAt(0));

/** The changed names of a request's tools, kept in the memo to restore them. */
export class Names {
  constructor(rule, memo = '') {
    this.rule = rule;
    this.changed = {};
    try {
      if (memo) this.changed = JSON.parse(memo);
    } catch {
      // An unreadable memo counts as empty.
    }
  }

  /** The name to send; a changed one is remembered. */
  send(name) {
    const sent = fit(this.rule, name);
    if (sent !== name) this.changed[sent] ??= name;
    return sent;
  }

  /** The client's name for a name in an answer. */
  restore(name) {
    return Object.hasOwn(this.changed, name) ? this.changed[name] : name;
  }

  /** The memo; empty if no name was changed. */
  toMemo() {
    return Object.keys(this.changed).length ? JSON.stringify(this.changed) : '';
  }
}
