import type { Loose } from './index.js';
import type * as t from './types.js';

/** A manifest with defaults; suggestions for the host are at the top level. */
export function manifest(given: Loose<t.Manifest> & Partial<t.Suggestions>): Loose<t.Manifest>;
/** `authorization: Bearer KEY`. */
export function bearer(name?: string): t.Auth;
/** No credential. */
export function noKey(name?: string): t.Auth;
/** A header with a prefix before the key. */
export function keyHeader(header: string, prefix?: string, name?: string): t.Auth;
/** True if there is a value at the pointer. */
export function present(pointer: string): t.FrameTest;
/** True if the value at the pointer is this one. */
export function equals(pointer: string, value: unknown): t.FrameTest;
/** Requests that pass the test are translated. */
export function exclusion(test: t.FrameTest, reason: string): t.Exclusion;
/** The place of a token count; `includes` are the buckets that the count contains as well. */
export function usagePlace(bucket: t.Bucket, pointers: string[], includes?: t.Bucket[], merge?: t.Merge): t.UsagePlace;
