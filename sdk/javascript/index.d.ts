import type * as t from './types.js';

export * as manifest from './manifest.js';

/** Values on their way out: members that may be left out are filled in. */
export type Loose<T> = T extends (infer U)[]
  ? Loose<U>[]
  : T extends { tag: infer Tag; val: infer Val }
    ? { tag: Tag; val: Loose<Val> }
    : T extends object
      ? { [K in keyof T]?: Loose<T[K]> | null }
      : T;

/** An interface's functions as an author writes them: what they give may leave things out. */
export type Given<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Loose<R>
    : T[K] extends new (...args: infer A) => infer R
      ? new (...args: A) => Given<R>
      : T[K];
};

/** The contract's interfaces by the names under which they are exported. */
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
}

/** The object to export as an interface: what goes wrong inside becomes an error, what comes out is made to fit. */
export function guard<N extends keyof Interfaces>(name: N, given: Given<Interfaces[N]>): Interfaces[N];

/** What a translation loses. */
export class Ledger {
  losses: t.Loss[];
  /** The field has no place here and is left out. */
  dropped(field: string, note?: string): void;
  /** The value was moved to the nearest one allowed. */
  clamped(field: string, note?: string): void;
  /** The value is said in another way. */
  approximated(field: string, note?: string): void;
  /** Reports every extension of another format. */
  foreign(place: string, extensions: t.Extension[], format: string): void;
  /** The losses so far; the ledger is empty afterwards. */
  take(): t.Loss[];
}

/** An error of the contract, to be thrown. */
export function fail(kind: t.ErrorKind, message: string, more?: Partial<t.Error>): t.Error;
/** The provider sent something that is not understood. */
export function unreadable(message: string): t.Error;
/** A 32-bit count as it was meant: QuickJS shows one of 2^31 or more as a negative number. */
export function u32(value: number | null | undefined): number | undefined;
/** The value of one of the target's options. */
export function option(ctx: t.Context, key: string, fallback?: unknown): any;
/** The value of a header; names are in lower case. */
export function header(headers: t.Header[], name: string): string | undefined;
/** A body as text. */
export function bodyText(body: t.Body): string;
/** A whole answer's JSON; an error of kind `upstream` is thrown where it is none. */
export function answerJson(response: t.HttpResponse): any;
/** A request without a body. */
export function get(path: string, more?: Loose<t.HttpRequest>): Loose<t.HttpRequest>;
/** A request with JSON text. */
export function post(path: string, json: string, more?: Loose<t.HttpRequest>): Loose<t.HttpRequest>;
/** Words. */
export function text(words: string, more?: Loose<t.TextPart>): Loose<t.Part>;
/** A refusal, in words. */
export function refusal(words: string): Loose<t.Part>;
/** The model's thinking. */
export function reasoning(words: string, more?: Loose<t.ReasoningPart>): Loose<t.Part>;
/** A call that the client is to carry out. */
export function toolCall(id: string, name: string, args: string, more?: Loose<t.ToolCall>): Loose<t.Part>;
/** A member that the unified model has no name for. */
export function extension(format: string, key: string, value: unknown): t.Extension;
/** Members that the unified model has no name for; those that are null say nothing. */
export function extensions(format: string, rest: object): t.Extension[];
/** The JSON of an extension. */
export function findExtension(extensions: t.Extension[], format: string, key: string): string | undefined;
/** Tokens in disjoint buckets. */
export function usage(buckets: Loose<t.Usage>): Loose<t.Usage>;
/** Why an answer ended. */
export function finish(reason: t.FinishReason, raw?: string): t.Finish;
/** A part begins. */
export function partStart(candidate: number, part: number, kind: t.PartKind): t.ChatEvent;
/** The kind of a part that is a tool call. */
export function toolStart(id: string, name: string, kind?: t.ToolKind): t.PartKind;
/** More text of a part. */
export function delta(candidate: number, part: number, words: string): t.ChatEvent;
/** A part ends. */
export function partStop(candidate: number, part: number): Loose<t.ChatEvent>;
/** A candidate ends. */
export function finished(candidate: number, finish: t.Finish): t.ChatEvent;
/** Words, however they are wrapped; an object is its JSON. */
export function wordsOf(value: unknown): string;

/** JSON: ready-made text put in as it is. */
export const wire: {
  Raw: new (json: string) => { json: string };
  raw(json: string | null | undefined): { json: string } | undefined;
  write(value: unknown): string;
};
