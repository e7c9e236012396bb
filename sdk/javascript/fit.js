// Converts values to fit the contract, by its types as data.
//
// A value of the wrong type would trap after the author's function has returned, where no `try` catches it. So all
// results pass through here: numbers become text where text is needed, counts are limited to 32 bits, a missing list
// becomes empty, a missing option stays absent, half of a surrogate pair becomes U+FFFD. A value that cannot be
// converted
// is a TypeError that names the place.
import { TYPES } from './shapes.js';

const PLAIN = {
  string: text,
  bool: Boolean,
  u8: (value) => whole(value, 0xff),
  u16: (value) => whole(value, 0xffff),
  u32: (value) => whole(value, 0xffffffff),
  f64: (value) => (value == null ? 0 : finite(value)),
};
const plans = new Map(Object.entries(PLAIN));

/** The function that converts a value to a type. */
export function plan(type) {
  if (Array.isArray(type)) return type[0] === 'list' ? list(type[1]) : option(plan(type[1]));
  if (!plans.has(type)) {
    const [kind, members] = TYPES[type];
    // Stored first, so that a type may refer to itself.
    plans.set(type, (value) => plans.get(type)(value));
    plans.set(type, { record, variant, enum: oneOf }[kind](type, members));
  }
  return plans.get(type);
}

/** Text, without halves of surrogate pairs. */
export function text(value) {
  if (typeof value !== 'string') value = asText(value);
  return value.isWellFormed() ? value : value.toWellFormed();
}

/** Any value as text. */
export function asText(value) {
  if (typeof value === 'string') return value;
  if (value == null) return '';
  if (typeof value === 'object' && !(value instanceof Error)) return JSON.stringify(value);
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`text is due, this is a ${typeof value}`);
  return String(value);
}

function finite(value) {
  const number = Number(value);
  if (Number.isNaN(number)) throw new TypeError('a number is due');
  return number;
}

function whole(value, limit) {
  return value == null ? 0 : Math.trunc(Math.min(Math.max(finite(value), 0), limit));
}

function option(inner) {
  return (value) => (value == null ? undefined : inner(value));
}

function list(type) {
  if (type === 'u8') return (value) => (value instanceof Uint8Array ? value : Uint8Array.from(value ?? []));
  const inner = plan(type);
  return (value) => {
    if (value == null) return [];
    if (!Array.isArray(value)) throw new TypeError(`a list is due, this is a ${typeof value}`);
    return value.map(inner);
  };
}

function record(name, members) {
  const fields = Object.entries(members).map(([field, type]) => [field, plan(type)]);
  return (value) => {
    if (value == null || typeof value !== 'object') throw new TypeError(`${name} is due, this is a ${typeof value}`);
    const fits = {};
    let at;
    try {
      for (at = 0; at < fields.length; at++) fits[fields[at][0]] = fields[at][1](value[fields[at][0]]);
    } catch (error) {
      throw new TypeError(`${name}.${fields[at][0]}: ${error.message}`);
    }
    return fits;
  };
}

function variant(name, members) {
  const cases = new Map(Object.entries(members).map(([tag, type]) => [tag, type && plan(type)]));
  return (value) => {
    const tag = typeof value === 'string' ? value : value?.tag;
    if (!cases.has(tag)) throw new TypeError(`${tag} is no case of ${name}`);
    const inner = cases.get(tag);
    return inner ? { tag, val: inner(value.val) } : { tag };
  };
}

function oneOf(name, members) {
  const known = new Set(members);
  return (value) => {
    if (!known.has(value)) throw new TypeError(`${value} is no ${name}`);
    return value;
  };
}
