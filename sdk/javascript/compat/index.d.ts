import type { Interfaces, Ledger } from '../index.js';
import type * as t from '../types.js';

/** What an id or a name may look like. */
export interface IdRule {
  /** The most characters. */
  max: number;
  /** Characters other than ASCII letters and digits that may stand in it; left out for any at all. */
  also?: string;
  /** Whether it must have exactly `max` characters. */
  exact?: boolean;
}

/** What sets one provider apart. The defaults are what most compatible servers take. */
export interface Quirks {
  /** The adapter's name: `groq`. */
  name: string;
  /** One line for people. */
  description?: string;
  version?: string;
  /** The usual base url, with its version path and a slash at the end. */
  url?: string;
  /** Usual environment variables of the key, the most usual first. */
  keyVariables?: string[];
  /** Globs of the models served. */
  models?: string[];
  /** JSON Schema of the options. */
  settings?: string;
  /** Who may meet in one instance; `tenant` by default. */
  isolation?: t.Isolation;
  /** How the key is shown; the first is the default. */
  auth?: t.Auth[];
  /** `chat/completions`. */
  chatPath?: string;
  /** `models`; empty where they are not there. */
  modelsPath?: string;
  /** `embeddings`; empty, the default, where they are not there. */
  embeddingsPath?: string;
  /** The member for the limit of output tokens: `max_tokens`. */
  maxTokens?: string;
  /** The member for the seed. */
  seed?: string;
  /** Members that are not taken, and why. */
  drops?: Record<string, string>;
  /** Members with another spelling here. */
  renames?: Record<string, string>;
  /** Numbers with a narrower range here. */
  clamps?: Record<string, [number, number]>;
  /** The most stop sequences taken: 4. */
  maxStop?: number;
  /** Whether messages of role `developer` are known; they become `system` otherwise. */
  developerRole?: boolean;
  /** Whether content may be a list of texts; they are joined otherwise. */
  textLists?: boolean;
  /** Whether a message may name its speaker. */
  speakerNames?: boolean;
  /** Whether `stream_options.include_usage` is understood. */
  streamUsage?: boolean;
  /** Whether functions may be offered. */
  tools?: boolean;
  /** The word for "some tool must be called". */
  toolRequired?: string;
  /** What ids of tool calls may look like. */
  toolIds?: IdRule;
  /** What names of tools may look like. */
  toolNames?: IdRule;
  /** Whether `response_format: json_schema` is understood; it becomes `json_object` otherwise. */
  jsonSchema?: boolean;
  /** The levels of `reasoning_effort` that are known; others move to the nearest. Empty: thinking cannot be steered. */
  efforts?: string[];
  /** The member in which thinking travels in the history; empty where it has no place. */
  thinking?: string;
  /** Whether `image_url` is taken. */
  images?: boolean;
  /** Whether addresses other than data URLs are fetched. */
  imageUrls?: boolean;
  /** Members of chunks that say nothing (padding) and are left out in silence. */
  noise?: string[];
}

/** What data cannot say. */
export interface Hooks {
  /** A last look at a request before it is written. */
  prepare?(ctx: t.Context, request: t.ChatRequest, ledger: Ledger): void;
  /** A last look at the body before it is sent. */
  extend?(ctx: t.Context, request: t.ChatRequest, body: Record<string, unknown>, ledger: Ledger): void;
  /** Finish reasons that only this provider has. */
  finish?(word: string): t.FinishReason | undefined;
}

/** Every interface of a provider; export those that the world names. */
export function provider(
  quirks: Quirks,
  hooks?: Hooks,
): Pick<Interfaces, 'about' | 'providerErrors' | 'providerChat' | 'providerModels' | 'providerEmbeddings'>;
