// The manifest with defaults. `wit/about.wit` says what each member means; what is left out is empty.

/** A manifest. An instance of JavaScript is costly to make, so it serves several exchanges by default. */
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

/** A header, with the text in front of the key. */
export const keyHeader = (header, prefix = '', name = 'header') => ({
  name,
  scheme: { tag: 'header', val: { name: header, value: prefix } },
});

/** There is a value at the pointer. */
export const present = (pointer) => ({ tag: 'present', val: pointer });

/** The value at the pointer is this one. */
export const equals = (pointer, value) => ({ tag: 'equals', val: { pointer, json: JSON.stringify(value) } });

/** A request that passes the test is translated. */
export const exclusion = (test, reason) => ({ test, reason });

/** Where one figure of tokens stands; `includes` are buckets that it counts as well. */
export const usagePlace = (bucket, pointers, includes = [], merge = 'last') => ({ bucket, pointers, merge, includes });
