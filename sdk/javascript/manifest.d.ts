import type { Loose } from './index.js';
import type * as t from './types.js';

/** The contract's version that this SDK is made for; `contract` in a manifest. */
export const CONTRACT: string;
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
/** True if there is a value at the pointer other than these. */
export function otherThan(pointer: string, values: unknown[]): t.FrameTest;
/** True if the number at the pointer is greater than the bound. */
export function above(pointer: string, bound: number): t.FrameTest;
/** True if the number at the pointer is less than the bound. */
export function below(pointer: string, bound: number): t.FrameTest;
/** True if the number at the pointer is not an integer. */
export function fractional(pointer: string): t.FrameTest;
/** Requests that pass the test are translated. */
export function exclusion(test: t.FrameTest, reason: string): t.Exclusion;
/** The place of a token count; `includes` are the buckets that the count contains as well. */
export function usagePlace(bucket: t.Bucket, pointers: string[], includes?: t.Bucket[], merge?: t.Merge): t.UsagePlace;
/** The place, read only if the member beside the count has this value. */
export function beside(place: t.UsagePlace, member: string, value: unknown): t.UsagePlace;
/** The place of a number of units, such as searches. */
export function unitNumber(unit: t.Unit, pointers: string[], merge?: t.Merge): t.UnitPlace;
/** Counts the values that pass the test as units. */
export function unitMatches(unit: t.Unit, test: t.FrameTest, merge?: t.Merge): t.UnitPlace;
