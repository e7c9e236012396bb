import type { Loose } from './index.js';
import type * as t from './types.js';

/** A manifest with defaults; what the host is to suggest stands at the top. */
export function manifest(given: Loose<t.Manifest> & Partial<t.Suggestions>): Loose<t.Manifest>;
/** `authorization: Bearer KEY`. */
export function bearer(name?: string): t.Auth;
/** No credential. */
export function noKey(name?: string): t.Auth;
/** A header, with the text in front of the key. */
export function keyHeader(header: string, prefix?: string, name?: string): t.Auth;
/** There is a value at the pointer. */
export function present(pointer: string): t.FrameTest;
/** The value at the pointer is this one. */
export function equals(pointer: string, value: unknown): t.FrameTest;
/** A request that passes the test is translated. */
export function exclusion(test: t.FrameTest, reason: string): t.Exclusion;
/** Where one figure of tokens stands; `includes` are buckets that it counts as well. */
export function usagePlace(bucket: t.Bucket, pointers: string[], includes?: t.Bucket[], merge?: t.Merge): t.UsagePlace;
