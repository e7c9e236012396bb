// JSON: ready-made text that is inserted unchanged, and readers that accept any value.

/** The text of a JSON value that is written unchanged: a tool's schema, an extension. */
export class Raw {
  constructor(json) {
    this.json = json;
  }
}

/** A `Raw` of the text; undefined if there is none. */
export const raw = (json) => (json == null ? undefined : new Raw(json));

/** Renders JSON text. Members of an object whose value is null or undefined are left out; `raw('null')` writes null. */
export function write(value) {
  if (value instanceof Raw) return value.json;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  const members = [];
  for (const key in value) if (value[key] != null) members.push(`${JSON.stringify(key)}:${write(value[key])}`);
  return `{${members.join(',')}}`;
}

/** The members of a JSON object, each as `Raw`; empty if it is not an object. */
export function members(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    return {};
  }
  return Object.fromEntries(Object.entries(objectOf(value)).map(([key, item]) => [key, new Raw(JSON.stringify(item))]));
}

/** The value if it is an object, else an empty one. */
export const objectOf = (value) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {});

/** The value if it is a list, else an empty one. */
export const listOf = (value) => (Array.isArray(value) ? value : []);

/** A token count; undefined if the value is not one. */
export const count = (value) => (typeof value === 'number' && value >= 0 ? Math.trunc(value) : undefined);

/** The members of an object that are neither known nor null. */
export function without(object, known) {
  const rest = {};
  for (const key in object) if (!known.has(key) && object[key] != null) rest[key] = object[key];
  return rest;
}

/** Whether an object has no members. */
export const isEmpty = (object) => {
  for (const _ in object) return false;
  return true;
};
