// The manifest with defaults. `wit/about.wit` describes each member; absent lists are empty.

/** A manifest. A JavaScript instance is costly to create, so it serves several exchanges by default. */
export function manifest({ url, keyVariables, models, origins, ...more }) {
  return {
    contract: '0.1.0',
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

/** Requests that pass the test are translated. */
export const exclusion = (test, reason) => ({ test, reason });

/** The place of a token count; `includes` are the buckets that the count contains as well. */
export const usagePlace = (bucket, pointers, includes = [], merge = 'last') => ({ bucket, pointers, merge, includes });
