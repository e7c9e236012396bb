import type { Interfaces, Losses } from '../index.js';
import type * as t from '../types.js';

/** The rule for an id or a name. */
export interface IdRule {
  /** Most characters. */
  max: number;
  /** Allowed characters besides ASCII letters and digits; if left out, any. */
  also?: string;
  /** Whether it must have exactly `max` characters. */
  exact?: boolean;
}

/** The differences of one provider. The defaults suit most compatible servers. */
export interface Quirks {
  /** The adapter's name: `groq`. */
  name: string;
  /** One line for people. */
  description?: string;
  version?: string;
  /** The default base url, with its version path and a slash at the end. */
  url?: string;
  /** Common environment variables for the key, the most common first. */
  keyVariables?: string[];
  /** Globs of the served models. */
  models?: string[];
  /** JSON Schema of the options. */
  settings?: string;
  /** Which exchanges may share an instance; `tenant` by default. */
  isolation?: t.Isolation;
  /** How the key is sent; the first is the default. */
  auth?: t.Auth[];
  /** `chat/completions`. */
  chatPath?: string;
  /** `models`; empty if the provider lacks them. */
  modelsPath?: string;
  /** `embeddings`; empty, the default, if the provider lacks them. */
  embeddingsPath?: string;
  /** The name of the member that limits output tokens: `max_tokens`. */
  maxTokens?: string;
  /** The member for the seed. */
  seed?: string;
  /** Members that the provider does not take, and why. */
  drops?: Record<string, string>;
  /** Members with another name at this provider. */
  renames?: Record<string, string>;
  /** Numbers with a narrower range at this provider. */
  clamps?: Record<string, [number, number]>;
  /** Most stop sequences that the provider takes: 4. */
  maxStop?: number;
  /** Whether the role `developer` is known; its messages become `system` otherwise. */
  developerRole?: boolean;
  /** Whether content may be a list of texts; they are joined otherwise. */
  textLists?: boolean;
  /** Whether a message may name its speaker. */
  speakerNames?: boolean;
  /** Whether the provider supports `stream_options.include_usage`. */
  streamUsage?: boolean;
  /** Whether the provider supports functions. */
  tools?: boolean;
  /** The value of `tool_choice` that requires a call of any tool. */
  toolRequired?: string;
  /** The rule for ids of tool calls. */
  toolIds?: IdRule;
  /** The rule for names of tools. */
  toolNames?: IdRule;
  /** Whether the provider supports `response_format: json_schema`; it becomes `json_object` otherwise. */
  jsonSchema?: boolean;
  /**
   * The provider's levels of `reasoning_effort`; others are mapped to the nearest. Empty: thinking cannot be steered.
   */
  efforts?: string[];
  /** The member for thinking in the history; empty if there is none. */
  thinking?: string;
  /** Whether `image_url` is taken. */
  images?: boolean;
  /** Whether addresses other than data URLs are fetched. */
  imageUrls?: boolean;
  /** Members of chunks without meaning (padding), which are dropped without a loss. */
  noise?: string[];
}

/** What data cannot express. */
export interface Hooks {
  /** Changes a request before it is rendered. */
  prepare?(ctx: t.Context, request: t.ChatRequest, losses: Losses): void;
  /** Changes the body before it is sent. */
  extend?(ctx: t.Context, request: t.ChatRequest, body: Record<string, unknown>, losses: Losses): void;
  /** Finish reasons that only this provider has. */
  finish?(word: string): t.FinishReason | undefined;
}

/** All interfaces of a provider; export those that the world names. */
export function provider(
  quirks: Quirks,
  hooks?: Hooks,
): Pick<Interfaces, 'about' | 'providerErrors' | 'providerChat' | 'providerModels' | 'providerEmbeddings'>;
