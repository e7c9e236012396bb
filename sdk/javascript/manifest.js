// The manifest with defaults. `wit/about.wit` describes each member; absent lists are empty.

/** The contract's version that this SDK is made for; `contract` in a manifest. */
export const CONTRACT = '0.2.0';

/** A manifest. A JavaScript instance is costly to create, so it serves several exchanges by default. */
export function manifest({ url, keyVariables, models, origins, ...more }) {
  return {
    contract: CONTRACT,
    family: more.name,
    isolation: 'tenant',
    takesBlobs: true,
    auth: [bearer()],
    suggests: { url, keyVariables, models, origins },
    ...more,
  };
}

/** `authorization: Bearer KEY`. */
export const bearer = (name = 'bearer') => ({ name, scheme: { tag: 'bearer' } });

/** No credential. */
export const noKey = (name = 'open') => ({ name, scheme: { tag: 'open' } });

/** A header with a prefix before the key. */
export const keyHeader = (header, prefix = '', name = 'header') => ({
  name,
  scheme: { tag: 'header', val: { name: header, value: prefix } },
});

/** True if there is a value at the pointer. */
export const present = (pointer) => ({ tag: 'present', val: pointer });

/** True if the value at the pointer is this one. */
export const equals = (pointer, value) => ({ tag: 'equals', val: { pointer, json: JSON.stringify(value) } });

/** True if there is a value at the pointer other than these. */
export const otherThan = (pointer, values) => ({
  tag: 'other-than',
  val: { pointer, json: values.map((value) => JSON.stringify(value)) },
});

/** True if the number at the pointer is greater than the bound. */
export const above = (pointer, bound) => ({ tag: 'above', val: { pointer, bound } });

/** True if the number at the pointer is less than the bound. */
export const below = (pointer, bound) => ({ tag: 'below', val: { pointer, bound } });

/** True if the number at the pointer is not an integer. */
export const fractional = (pointer) => ({ tag: 'fractional', val: pointer });

/** Requests that pass the test are translated. */
export const exclusion = (test, reason) => ({ test, reason });

/** The place of a token count; `includes` are the buckets that the count contains as well. */
export const usagePlace = (bucket, pointers, includes = [], merge = 'last') => ({ bucket, pointers, merge, includes });

/** The place, read only if the member beside the count has this value: `beside(place, 'modality', 'AUDIO')`. */
export const beside = (place, member, value) => ({
  ...place,
  beside: { pointer: `/${member}`, json: JSON.stringify(value) },
});

/** The place of a number of units, such as searches. */
export const unitNumber = (unit, pointers, merge = 'last') => ({ unit, source: { tag: 'number', val: pointers }, merge });

/** Counts the values that pass the test as units. */
export const unitMatches = (unit, test, merge = 'max') => ({ unit, source: { tag: 'matches', val: test }, merge });
