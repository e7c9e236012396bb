import type * as t from './types.js';

export * as manifest from './manifest.js';

/** Values as an adapter returns them; absent members are filled in. */
export type Loose<T> = T extends (infer U)[]
  ? Loose<U>[]
  : T extends { tag: infer Tag; val: infer Val }
    ? { tag: Tag; val: Loose<Val> }
    : T extends object
      ? { [K in keyof T]?: Loose<T[K]> | null }
      : T;

/** An interface's functions as an author writes them: their results may leave members out. */
export type Given<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Loose<R>
    : T[K] extends new (...args: infer A) => infer R
      ? new (...args: A) => Given<R>
      : T[K];
};

/** The contract's interfaces by their export names. */
export interface Interfaces {
  about: t.About;
  providerErrors: t.ProviderErrors;
  providerChat: t.ProviderChat;
  providerEmbeddings: t.ProviderEmbeddings;
  providerModels: t.ProviderModels;
  providerCountTokens: t.ProviderCountTokens;
  providerRerank: t.ProviderRerank;
  dialectChat: t.DialectChat;
  dialectEmbeddings: t.DialectEmbeddings;
  dialectModels: t.DialectModels;
  dialectCountTokens: t.DialectCountTokens;
  dialectRerank: t.DialectRerank;
  providerImages: t.ProviderImages;
  dialectImages: t.DialectImages;
  providerSpeech: t.ProviderSpeech;
  dialectSpeech: t.DialectSpeech;
  providerTranscription: t.ProviderTranscription;
  dialectTranscription: t.DialectTranscription;
  providerModerations: t.ProviderModerations;
  dialectModerations: t.DialectModerations;
}

/** The object to export as an interface: exceptions become errors, results are converted to fit the contract. */
export function guard<N extends keyof Interfaces>(name: N, given: Given<Interfaces[N]>): Interfaces[N];

/** Collects the losses of a translation. */
export class Losses {
  losses: t.Loss[];
  /** The target format has no place for the field, so it is left out. */
  dropped(field: string, note?: string): void;
  /** The value was moved to the nearest allowed one. */
  clamped(field: string, note?: string): void;
  /** The value is expressed in another way. */
  approximated(field: string, note?: string): void;
  /** Reports every extension of another format. */
  foreign(place: string, extensions: t.Extension[], format: string): void;
  /** Returns the losses and empties the losses. */
  take(): t.Loss[];
}

/** An error of the contract, to throw. */
export function fail(kind: t.ErrorKind, message: string, more?: Partial<t.Error>): t.Error;
/** The error for a provider's answer that cannot be parsed. */
export function unreadable(message: string): t.Error;
/** A 32-bit count as an unsigned number: QuickJS shows one of 2^31 or more as negative. */
export function u32(value: number | null | undefined): number | undefined;
/** The value of one of the target's options. */
export function option(ctx: t.Context, key: string, fallback?: unknown): any;
/** The value of a header; names are in lower case. */
export function header(headers: t.Header[], name: string): string | undefined;
/** A body as text. */
export function bodyText(body: t.Body): string;
/** A whole answer's JSON; raises an error of kind `upstream` if it is not JSON. */
export function answerJson(response: t.HttpResponse): any;
/** A request without a body. */
export function get(path: string, more?: Loose<t.HttpRequest>): Loose<t.HttpRequest>;
/** A request with JSON text. */
export function post(path: string, json: string, more?: Loose<t.HttpRequest>): Loose<t.HttpRequest>;
/** A part of text. */
export function text(words: string, more?: Loose<t.TextPart>): Loose<t.Part>;
/** A part with a refusal. */
export function refusal(words: string): Loose<t.Part>;
/** A part with the model's thinking. */
export function reasoning(words: string, more?: Loose<t.ReasoningPart>): Loose<t.Part>;
/** A call for the client to carry out. */
export function toolCall(id: string, name: string, args: string, more?: Loose<t.ToolCall>): Loose<t.Part>;
/** A member that the unified model does not have. */
export function extension(format: string, key: string, value: unknown): t.Extension;
/** Members that the unified model does not have; null ones are skipped. */
export function extensions(format: string, rest: object): t.Extension[];
/** The JSON of an extension; None if there is none. */
export function findExtension(extensions: t.Extension[], format: string, key: string): string | undefined;
/** Token counts in disjoint buckets, and units. */
export function usage(buckets: Loose<t.Usage>): Loose<t.Usage>;
/** A number of units that are billed by the piece. */
export function unit(unit: t.Unit, count: number): t.UnitCount;
/** All input tokens, cached or not; undefined if no count is known. */
export function inputTotal(usage: Loose<t.Usage>): number | undefined;
/** All output tokens, reasoning included; undefined if no count is known. */
export function outputTotal(usage: Loose<t.Usage>): number | undefined;
/** Input tokens written to a cache for any time; undefined if no count is known. */
export function cacheWriteTotal(usage: Loose<t.Usage>): number | undefined;
/** The reason why an answer ended. */
export function finish(reason: t.FinishReason, raw?: string): t.Finish;
/** The event that starts a part. */
export function partStart(candidate: number, part: number, kind: t.PartKind): t.ChatEvent;
/** The kind of a part that is a tool call. */
export function toolStart(id: string, name: string, kind?: t.ToolKind): t.PartKind;
/** The event with more text of a part. */
export function delta(candidate: number, part: number, words: string): t.ChatEvent;
/** An `argument` event as a delta, any other event unchanged. */
export function asDelta(event: t.ChatEvent): t.ChatEvent;
/** The event that ends a part. */
export function partStop(candidate: number, part: number): Loose<t.ChatEvent>;
/** The event that ends a candidate. */
export function finished(candidate: number, finish: t.Finish): t.ChatEvent;
/** Text, however it is wrapped; an object becomes its JSON. */
export function wordsOf(value: unknown): string;

/** JSON: inserts ready-made text unchanged. */
export const wire: {
  Raw: new (json: string) => { json: string };
  raw(json: string | null | undefined): { json: string } | undefined;
  write(value: unknown): string;
};
