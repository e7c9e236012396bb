// Made from wit/ by tools/contract.mjs; change that, not this.

/**
 * What is asked for. Chat, embeddings, models, count-tokens and rerank are translated from one format to another.
 * All others are relayed only; the interfaces that some of them have are not called yet.
 */
export type Operation =
  | { tag: 'chat'; val?: undefined }
  | { tag: 'embeddings'; val?: undefined }
  | { tag: 'models'; val?: undefined }
  | { tag: 'count-tokens'; val?: undefined }
  | { tag: 'rerank'; val?: undefined }
  /** Images from a prompt. */
  | { tag: 'image-generation'; val?: undefined }
  /** Images from a prompt and other images. */
  | { tag: 'image-edit'; val?: undefined }
  /** Spoken audio from text. */
  | { tag: 'speech'; val?: undefined }
  /** Text from spoken audio. */
  | { tag: 'transcription'; val?: undefined }
  /** A verdict on content. */
  | { tag: 'moderation'; val?: undefined }
  /** A session of messages both ways. */
  | { tag: 'realtime'; val?: undefined }
  /** Relayed only: `files`, `batches`, ... */
  | { tag: 'other'; val: string };

/** Something that can be seen in a request's head. */
export type Condition =
  /** A header of this name is present. */
  | { tag: 'header-present'; val: string }
  /** A query parameter of this name is present. */
  | { tag: 'query-present'; val: string }
  /** A query parameter has this value. */
  | { tag: 'query-equals'; val: Header };

/** A pointer and the value that is to be there. */
export interface PointerEquals {
  pointer: string;
  /** JSON. */
  json: string;
}

/** A pointer and the values that may be there. */
export interface PointerValues {
  pointer: string;
  /** JSON, one value each: plain values or empty containers. */
  json: string[];
}

/** A pointer and a bound of the number there. */
export interface PointerBound {
  pointer: string;
  bound: number;
}

/**
 * Something that can be seen in a frame of a stream, in a request, or in a whole answer (where events do not exist).
 *
 * A test holds if any value at its pointer passes it. Null passes none but `equals`. A number written as text passes
 * `above`, `below` and `fractional` as a number would.
 */
export type FrameTest =
  /** The event has this name. */
  | { tag: 'event'; val: string }
  /** The data is exactly this text. */
  | { tag: 'data'; val: string }
  /** There is a value here, and it is not null, an empty string, an empty array or an empty object. */
  | { tag: 'present'; val: string }
  /** The value here is this one. Numbers are compared by value: `1` is `1.0`. */
  | { tag: 'equals'; val: PointerEquals }
  /** There is a value here, and it is none of these. */
  | { tag: 'other-than'; val: PointerValues }
  /** The number here is greater than the bound. */
  | { tag: 'above'; val: PointerBound }
  /** The number here is less than the bound. */
  | { tag: 'below'; val: PointerBound }
  /** The number here is not a whole one. */
  | { tag: 'fractional'; val: string };

/** How one kind of error is spelled. */
export interface ErrorSpelling {
  kind: ErrorKind;
  /** What `{{kind}}` becomes. */
  name: string;
  /** What `{{code}}` becomes, where the error brings none of its own. */
  code?: string | null;
  /** The status, where the error brings none. */
  status: number;
}

/** A frame as a template. */
export interface FrameTemplate {
  event?: string | null;
  /** Empty for a frame without data. */
  data: string;
}

/**
 * Errors as templates, so that the host can answer in the format without running a component.
 *
 * Placeholders are `{{kind}}`, `{{status}}`, `{{message}}`, `{{code}}`, `{{param}}`, `{{request_id}}`. Each becomes
 * a whole JSON value: a quoted string, a number, or null.
 */
export interface ErrorFormat {
  body: string;
  /** One for each kind. */
  spellings: ErrorSpelling[];
  /** Further headers; placeholders are filled with plain text. */
  headers: Header[];
  /** How a stream that breaks is ended; none where the format has no such frame. */
  streamFailure?: FrameTemplate | null;
  /** Sent while nothing else is there to send; none for an SSE comment where the framing is SSE. */
  keepAlive?: FrameTemplate | null;
  /** The header in which this format's clients look for a request id. */
  requestIdHeader?: string | null;
  /**
   * Headers that tell limits; placeholders are `{{limit}}`, `{{remaining}}`, `{{reset}}` (`6m0s`), `{{reset-at}}` (a
   * time as RFC 3339 writes it), and the name has `{{scope}}` (`requests`, `tokens`).
   */
  rateLimitHeaders: Header[];
}

/** Where a token is counted: the buckets of `usage`, which says what each holds. */
export type Bucket =
  | 'input'
  | 'input-audio'
  | 'input-image'
  | 'cache-read'
  | 'cache-write'
  | 'cache-write-hour'
  | 'output'
  | 'output-audio'
  | 'output-image'
  | 'reasoning';

/** How a later value is taken together with an earlier one. */
export type Merge =
  | 'last'
  | 'max'
  | 'sum';

/** Where one figure of tokens stands. A bucket that has several places is the sum of their figures. */
export interface UsagePlace {
  bucket: Bucket;
  /**
   * Every count that is found at any of these, in whatever frame, is merged into the one figure. If one leads into a list
   * (`/usage/calls/*\/in`) and the merge is a sum, a frame that has the list is the account of the whole answer: the figures
   * at all places that it has a value for take the place of earlier ones, also of greater ones.
   */
  pointers: string[];
  merge: Merge;
  /**
   * Buckets that this figure includes: they are subtracted, so that no token counts twice. Never in a circle. Of a bucket that
   * has places beside the same value as this one's, it includes only these: audio includes the cached audio. A figure that
   * includes its own bucket is the total of the bucket's other places.
   */
  includes: Bucket[];
  /**
   * Counts only figures whose neighbour has a value: the pointer (of one segment) is relative to the object that
   * holds the figure. `{"modality": "AUDIO", "tokenCount": 7}` counts under `/modality` equals `"AUDIO"`.
   */
  beside?: PointerEquals | null;
  /** Headers of the answer whose count is merged into the figure too. */
  headers: string[];
}

/** How the number of a unit is found. */
export type UnitSource =
  /** As a number at any of these pointers. */
  | { tag: 'number'; val: string[] }
  /** As the number of values that pass this test: `present` or `equals`, with a `*` in its pointer. */
  | { tag: 'matches'; val: FrameTest };

/** Where the number of something that is billed by the piece stands. */
export interface UnitPlace {
  unit: Unit;
  source: UnitSource;
  merge: Merge;
}

/** How answers in a format are read by the host while their bytes go through untouched. */
export interface Tap {
  usage: UsagePlace[];
  /** Pointers at a finish reason. */
  finish: string[];
  /**
   * Pointers at the answer's model. The first is that of the model with which the answer begins; a model at a later one, as
   * where another model goes on with a stream, takes its place.
   */
  model: string[];
  /** Things that are billed by the piece. */
  units: UnitPlace[];
  /**
   * Pointers at the service tier that served the answer. The first that has one counts; `standard`, `default` and
   * `auto` only where no other has one.
   */
  serviceTier: string[];
  /** Headers of the answer that name that tier, after the pointers. */
  serviceTierHeaders: string[];
  /** What shows that the answer was served at the price of a batch. */
  batch: FrameTest[];
  /** Pointers at the region that served the answer, in the words of price files, each with the values that name none. */
  region: PointerValues[];
  /** What shows that the answer is still being made, to be read later: until then, nobody knows what it uses. */
  underWay: FrameTest[];
  /** Frames that bring the first content. */
  content: FrameTest[];
  /** Frames after which the answer is complete. */
  end: FrameTest[];
  /** Frames that are errors. */
  failure: FrameTest[];
  /**
   * Pointer at a string in base64 that holds the data of a stream's frame, where frames wrap another format:
   * `/bytes`. Pointers and tests apply to what is within; a frame without such a string is read as it is.
   */
  wrapped?: string | null;
}

/** How a session is configured by the gateway for a client that shows a key with a configuration. */
export interface SessionConfiguration {
  /**
   * The client's message that configures a session. JSON, with the placeholder `{{session}}` for the configuration,
   * which is an object. Sent once, before any message of the client's.
   */
  message: string;
  /**
   * Messages of the provider's that confirm it. The client's messages wait for one; a `failure` of the tap ends the
   * session instead.
   */
  confirmed: FrameTest[];
}

/**
 * How the messages of a WebSocket session are read while they go through untouched. A message is one frame: its data
 * is the message's text, and it has no event. Pointers and tests apply to the messages of one direction.
 */
export interface SessionTap {
  /** Messages of the client's that ask for a response. */
  requests: FrameTest[];
  /** Messages of the provider's that begin a response. */
  begins: FrameTest[];
  /**
   * How the provider's messages are read: its `end` holds at the end of a response, whose usage is then complete;
   * its `failure` holds for a response that failed.
   */
  responses: Tap;
  /** The client's message that cancels a response, sent when a budget is over. JSON. */
  cancel?: string | null;
  /** None: sessions of the format take no configuration from a key. */
  configuration?: SessionConfiguration | null;
}

/** A format, as far as the host has to do with it. */
export interface Format {
  /** `openai.chat`. */
  id: string;
  /** For formats that clients may use. */
  errors?: ErrorFormat | null;
  /** For formats that the provider answers in. */
  tap?: Tap | null;
  /** For formats of sessions. */
  session?: SessionTap | null;
}

/** Where a client's credential may stand. None of these is ever forwarded. */
export type CredentialPlace =
  /** A header, with the text in front of the credential (`Bearer `) as its value; empty for none. */
  | { tag: 'header'; val: Header }
  /** A query parameter. */
  | { tag: 'query'; val: string }
  /**
   * A subprotocol that a WebSocket handshake offers, with the text in front of the credential
   * (`openai-insecure-api-key.`).
   */
  | { tag: 'subprotocol'; val: string };

/** A place in a JSON body where the model's name stands. */
export interface ModelPointer {
  pointer: string;
  /** Text in front of the model's name, kept when it is rewritten: `models/`. */
  prefix: string;
}

/** Where the model's name stands. */
export type ModelPlace =
  /** The `{model}` of the path. */
  | { tag: 'path'; val?: undefined }
  | { tag: 'pointer'; val: ModelPointer }
  /** A field of a multipart body. */
  | { tag: 'field'; val: string }
  /** A query parameter. */
  | { tag: 'query'; val: string }
  /**
   * A place in a client's messages of a session. Where the face has no other place for the model, the first message names
   * it, and no later one may. Otherwise any message may name the session's model there again.
   */
  | { tag: 'message'; val: ModelPointer };

/** A place in a body where the flag stands. */
export interface StreamPointer {
  /** In a multipart body `/NAME` stands for the field of that name. */
  pointer: string;
  /** What an absent flag means. */
  fallback: boolean;
}

/** Whether a streamed answer is wanted. */
export type StreamFlag =
  | { tag: 'constant'; val: boolean }
  | { tag: 'pointer'; val: StreamPointer }
  | { tag: 'query'; val: Header };

/** What a request's body is. */
export type BodyKind =
  | 'json'
  | 'multipart'
  | 'raw'
  | 'empty'
  /** None: the request asks to become a WebSocket session. */
  | 'session';

/**
 * Something that a request may ask for, seen without parsing it: any of the pointers has a value, or any of the
 * tests holds.
 */
export interface Feature {
  /**
   * `tools`, `vision`, `audio`, `documents`, `schema`, `reasoning`; `history` where the provider reads an earlier answer or
   * a conversation again, and charges for it; `models` where a message of a session names a model beside the session's own,
   * such as one that writes down what is said; `public` where an id at one of the `object-ids` stands beside a value that
   * equals this one, and names what each account has, such as a skill of the provider's own.
   */
  name: string;
  tests: FrameTest[];
}

/** A framing, and when it is the one: always, where there is no condition. */
export interface AnswerFraming {
  framing: Framing;
  when?: Condition | null;
}

/** One endpoint that clients may call: how it is recognised, and where the host finds what it has to know. */
export interface Face {
  format: string;
  operation: Operation;
  method: string;
  /** `/v1/messages`, `/v1/models/{model}`, `/v1beta/models/{model}:generateContent`. `{model...}` takes slashes too. */
  path: string;
  /** Under which it is served as well: `/anthropic`. */
  prefixes: string[];
  /** Decides between faces that share a path. One with a condition is more specific than one without. */
  when?: Condition | null;
  credentials: CredentialPlace[];
  /**
   * Rewritten together where the target's name differs. In a `raw` body, pointers are at the models of requests for later work,
   * which a file in a form has as lines of JSON, and which are never rewritten: `/file/*\/body/model`, where `file` is the
   * form's field and `*` stands for each line. What else requests name of models is looked for beside that. In a body of JSON,
   * pointers through `*` are at the models of requests that stand in it: `/requests/*\/params/model`.
   */
  model: ModelPlace[];
  stream: StreamFlag;
  body: BodyKind;
  /**
   * Pointers at the limit of output tokens, of each candidate. Those of requests for later work are as the pointers of `model`
   * are, and so are those of `candidates`; where the body has such requests and no pointer at a limit, they make no output.
   */
  outputLimit: string[];
  /**
   * Pointers at the number of candidates that the provider is to make, and charges for. One that ends in `/*` is at a list of
   * prompts, each of which is answered (`/prompt/*`): it counts the list's texts and lists. The numbers multiply.
   */
  candidates: string[];
  /** Pointers at the service tier that is asked for. The first that has one counts. */
  serviceTier: string[];
  /** Pointers at the client's name for its end user. */
  endUser: string[];
  /**
   * Pointers at ids of objects that an earlier answer made; `{id}` stands for the path's own. Where requests have no body,
   * the pointers beside `{id}` are at places of earlier answers that have this id. In a `raw` body they are at places of the
   * requests in a file, as those of `model` are. Behind the name of a member in braces, a pointer is at an id of what answers
   * make beside themselves, whole or as frames, if the request has the member: `{audio}/choices/*\/message/audio/id`. In a
   * multipart body `/NAME` stands for the field of that name. Of a session, they are at places of the client's messages,
   * and those behind a name in braces at places of the provider's.
   */
  objectIds: string[];
  features: Feature[];
  /** Headers that the dialect reads. */
  requestHeaders: string[];
  /** How a streamed answer is framed: the first whose condition holds. */
  framings: AnswerFraming[];
}

/** A query parameter that the host adds upstream; the value has placeholders as the path has. */
export interface FixedQuery {
  name: string;
  value: string;
  /** Only with streamed answers (true) or whole ones (false). */
  stream?: boolean | null;
}

/**
 * A member, or a value of it, that this provider does not take as the format defines it: a request that holds one is
 * translated.
 */
export interface Exclusion {
  /** What holds of such a request. */
  test: FrameTest;
  /** Why, for the operator. */
  reason: string;
}

/** How to make the provider tell the usage of a stream. */
export interface UsageRequest {
  /** The member to splice in. */
  pointer: string;
  /** JSON. */
  json: string;
  /** The frame that came only because of it, and is withheld from a client that did not ask. */
  withheld: FrameTest;
}

/**
 * A gRPC method that takes the request. The adapter renders and parses JSON; the host converts it to and from the
 * method's messages by the mapping that Protocol Buffers define (proto3 JSON). A streamed answer's messages are
 * frames without an event.
 */
export interface GrpcMethod {
  /** `inference.v1.Generation`. */
  service: string;
  /** `Generate`. */
  method: string;
  /** Whether it answers with a stream of messages. */
  stream: boolean;
  /** A serialized `google.protobuf.FileDescriptorSet` with the service and all that it imports, in base64. */
  descriptors: string;
}

/** How a request travels that is no plain HTTP request. */
export type Transport =
  /** As a call of this gRPC method. The acceptance's path, query and headers apply to metadata only. */
  | { tag: 'grpc'; val: GrpcMethod }
  /**
   * As a WebSocket handshake on the path; messages go through as they are. A path that begins with a slash is
   * relative to the origin of the target's url.
   */
  | { tag: 'session'; val?: undefined };

/** A format that the provider takes as it is, so that no component need run. */
export interface Acceptance {
  format: string;
  operation: Operation;
  method: string;
  /**
   * Relative to the target's url; placeholders are `{model}`, `{id}` and `{option.NAME}`. An acceptance with a
   * placeholder for an option that the target does not set is not there: so an option chooses between acceptances of
   * one format.
   */
  path: string;
  /** The same for streamed answers, where it differs. */
  streamPath?: string | null;
  query: FixedQuery[];
  /**
   * Query parameters of the client's that are forwarded: `NAME` with any value; `NAME=VALUE` with this one alone, and
   * only for a streamed answer that asks for its framing by it.
   */
  queryForwarded: string[];
  /** Request headers forwarded, in lower case; a trailing `*` stands for any ending. */
  requestHeaders: string[];
  /**
   * Request headers set, where the client did not send one that is forwarded; placeholders as in the path. One with
   * a placeholder for an option that is not set is left out.
   */
  setHeaders: Header[];
  /** Response headers passed back, in lower case; a trailing `*` stands for any ending. */
  responseHeaders: string[];
  exclusions: Exclusion[];
  askUsage?: UsageRequest | null;
  /** None for an HTTP request. */
  transport?: Transport | null;
  /** Whether other formats are translated to this one before any other that has the same operation. */
  preferred: boolean;
}

/** How tokens are had for a credential. */
export interface Oauth {
  /**
   * Where tokens are to be had; placeholders as in a suggested url, and `{origin}` for the provider's own origin
   * (`https://host`). Followed under the rule for suggestions, or where the origin may have the key in any case;
   * else the operator sets the option `token_url`. A service account's key may name its own.
   */
  tokenUrl: string;
  scopes: string[];
}

/** How the host proves to the provider who it is. The credential itself never enters an adapter. */
export type AuthScheme =
  /** No credential. */
  | { tag: 'open'; val?: undefined }
  /** `authorization: Bearer KEY`. */
  | { tag: 'bearer'; val?: undefined }
  /** A header, with the text in front of the key as its value. */
  | { tag: 'header'; val: Header }
  | { tag: 'query'; val: string }
  /** AWS Signature Version 4 for this service. */
  | { tag: 'aws-sigv4'; val: string }
  | { tag: 'oauth2-client-credentials'; val: Oauth }
  /** A JWT signed with a service account's key. */
  | { tag: 'service-account'; val: Oauth };

/** One way to prove who the host is. */
export interface Auth {
  /** By which the option `auth` chooses; the first is the default. */
  name: string;
  scheme: AuthScheme;
}

/** What the adapter proposes. Taken without asking only from components whose digest is in the lock file. */
export interface Suggestions {
  /**
   * `https://api.openai.com/v1/`; placeholders are `{region}`, `{option.NAME}` and, for a url that people keep in a
   * variable, `{env.NAME}`.
   */
  url?: string | null;
  /** Usual environment variables of the key, the most usual first. */
  keyVariables: string[];
  /** Globs of model names that this provider serves. */
  models: string[];
  /** Further origins that follow-ups go to. */
  origins: string[];
}

/** How instances are used: a wish, which counts only for components whose digest is in the lock file. */
export type Isolation =
  /** A fresh instance for each exchange and side. */
  | 'fresh'
  /** An instance serves exchanges of one client key. */
  | 'tenant'
  /** An instance serves all. */
  | 'shared';

/** What the provider can do, as far as it can be said once for all of its models. */
export interface Capabilities {
  operations: Operation[];
  /** `image`, `audio`, `video`, `document`. */
  media: string[];
  tools: boolean;
  countsTokens: boolean;
}

/** All that the host knows of the adapter. */
export interface Manifest {
  name: string;
  version: string;
  /** Version of this contract: `0.2.0`. */
  contract: string;
  /** One line for people. */
  description: string;
  /** Adapters of one family understand each other's extensions and signatures. */
  family: string;
  /** JSON Schema of the options; empty where there are none. */
  settings: string;
  isolation: Isolation;
  /** Whether large base64 values may be lifted out of bodies. */
  takesBlobs: boolean;
  suggests: Suggestions;
  formats: Format[];
  faces: Face[];
  accepts: Acceptance[];
  auth: Auth[];
  capabilities: Capabilities;
}

/** A whole answer, understood. */
export interface ChatAnswer {
  response: ChatResponse;
  losses: Loss[];
}

/** What became of a request so far. */
export type ChatOutcome =
  | { tag: 'complete'; val: ChatAnswer }
  /** The provider needs one more request. */
  | { tag: 'follow-up'; val: FollowUp };

/** A client's request, understood. */
export interface ParsedChat {
  request: ChatRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange: fields to echo, whether usage was asked for. */
  memo: string;
}

/** A client's request, understood. */
export interface ParsedCount {
  request: ChatRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A client's request, understood. */
export interface ParsedEmbeddings {
  request: EmbeddingsRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A parsed answer. */
export interface ImagesAnswer {
  response: ImagesResponse;
  losses: Loss[];
}

/** What an answer leads to. */
export type ImagesOutcome =
  | { tag: 'complete'; val: ImagesAnswer }
  /** The provider needs one more request. */
  | { tag: 'follow-up'; val: FollowUp };

/** What a decoder makes of some frames. */
export interface DecodedImages {
  events: ImagesEvent[];
  losses: Loss[];
}

/** A parsed request. */
export interface ParsedImages {
  request: ImagesRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A client's request, understood. */
export interface ParsedModels {
  request: ModelsRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A parsed answer. */
export interface ModerationAnswer {
  response: ModerationResponse;
  losses: Loss[];
}

/** A parsed request. */
export interface ParsedModeration {
  request: ModerationRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A client's request, understood. */
export interface ParsedRerank {
  request: RerankRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A parsed request. */
export interface ParsedSpeech {
  request: SpeechRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** A parsed answer. */
export interface TranscriptionAnswer {
  response: TranscriptionResponse;
  losses: Loss[];
}

/** A parsed request. */
export interface ParsedTranscription {
  request: TranscriptionRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
}

/** One header or query parameter. Names of headers are in lower case. */
export interface Header {
  name: string;
  value: string;
}

/** A body. The host hands over `text` for anything that is UTF-8 and takes either. */
export type Body =
  | { tag: 'text'; val: string }
  | { tag: 'bytes'; val: Uint8Array };

/** A request, either as it came from a client (dialect side) or as it is to be sent upstream (provider side). */
export interface HttpRequest {
  /** Upper case: `POST`. */
  method: string;
  /**
   * Client side: the path as it came, not decoded. Upstream: relative to the target's configured url
   * (`chat/completions`), never absolute, without query. A path that tries to leave the url is refused.
   */
  path: string;
  /** Query parameters, decoded. */
  query: Header[];
  /**
   * Client side: the headers that the face's `request-headers` name. Upstream: headers to set beside the ones the
   * host sets itself (content-type for JSON text, accept, user-agent, credentials).
   */
  headers: Header[];
  body: Body;
}

/** A response, from an upstream (provider side) or for a client (dialect side). */
export interface HttpResponse {
  status: number;
  headers: Header[];
  body: Body;
}

/** How a stream is cut into frames. Framing itself is the host's work. */
export type Framing =
  /** `text/event-stream`. */
  | 'sse'
  /** One JSON value a line. */
  | 'ndjson'
  /** One JSON array whose elements arrive one by one. */
  | 'json-array'
  /** `application/vnd.amazon.eventstream`, binary, with checksums. */
  | 'event-stream';

/** One frame of a stream. */
export interface Frame {
  /** The event's name: SSE's `event:`, the event-stream's `:event-type` (or `:exception-type`); none in the others. */
  event?: string | null;
  /** SSE: the joined `data:` lines. NDJSON and JSON array: one JSON value. Event-stream: the payload. */
  data: string;
}

/** One option of the target's configuration, checked against the manifest's settings schema beforehand. */
export interface Setting {
  key: string;
  /** JSON. */
  json: string;
}

/**
 * A large base64 value that the host has lifted out of the body; its token stands in its place (a JSON string, or
 * the tail of a data URL) and may be copied, a few times at the most, but not looked into.
 */
export interface Blob {
  /** The token as it stands in the body. */
  token: string;
  /** Length of the base64 text that it stands for, in bytes. */
  length: number;
  /** The first characters of that text (up to 64), enough to tell the media type. */
  head: string;
}

/** What a pure function needs and cannot find out by itself. The same in every call of one exchange. */
export interface Context {
  /** The exchange's id, for formats whose answers need an id of the gateway's making. */
  requestId: string;
  /** When the exchange began: milliseconds since the Unix epoch. */
  nowMs: number;
  /** Dialect side: the model as the client named it. Provider side: the model as the target names it. */
  model: string;
  /** The format to use, for adapters that have several. */
  format: string;
  /** The target's options (provider side). */
  options: Setting[];
  /** The blobs lifted from this request. */
  blobs: Blob[];
  /** The request's input tokens, by the host's estimate; none before the request has been parsed. */
  inputTokens?: number | null;
  /** What this side's request call returned as its memo; empty in that call itself. */
  memo: string;
}

/** What happened to a field that the other side cannot hold. */
export type LossKind =
  /** Left out. */
  | 'dropped'
  /** Moved to the nearest value that is allowed. */
  | 'clamped'
  /** Said in another way, which means nearly the same. */
  | 'approximated';

/** A member that the other side cannot hold: nothing is lost in silence. */
export interface Loss {
  /** Where, in the spelling of the format the value came from: `temperature`, `messages[2].name`. */
  field: string;
  kind: LossKind;
  /** Why, or what became of it. Never the value itself. */
  note?: string | null;
}

/** A member of some format that the unified model has no name for. */
export interface Extension {
  /** The format it belongs to: `openai.chat`. */
  format: string;
  /** The member's name. */
  key: string;
  /** JSON. */
  json: string;
}

/** What went wrong, as far as clients and retries care. */
export type ErrorKind =
  /** The request is wrong; sending it again will not help. */
  | 'invalid-request'
  /** The credential is missing or wrong. */
  | 'authentication'
  /** The credential may not do this. */
  | 'permission'
  /** No such model, object or path. */
  | 'not-found'
  /** The body is too large. */
  | 'too-large'
  /** The input does not fit into the model's context window. */
  | 'context-length'
  /** Too many requests or tokens for now. */
  | 'rate-limited'
  /** No credit left; waiting will not help. */
  | 'quota'
  /** Refused by a content filter. */
  | 'content-filtered'
  /** The provider has too much to do. */
  | 'overloaded'
  /** The provider took too long. */
  | 'timeout'
  /** What was asked for cannot be expressed here. */
  | 'unsupported'
  /** The provider failed in another way. */
  | 'upstream'
  /** The adapter could not understand its input. */
  | 'internal';

/** An error, the same on both sides. */
export interface Error {
  kind: ErrorKind;
  /** For people. Never a secret, never a body. */
  message: string;
  /** The HTTP status, where one is known or wanted. */
  status?: number | null;
  /**
   * The format's own code (`model_not_found`). A provider's `render-request` that needs the bytes of a medium which
   * the request gives by its address says `media_url`: the host fetches them, where the operator lets it, and asks
   * again.
   */
  code?: string | null;
  /** The field at fault, in the spelling of the client's format. */
  param?: string | null;
  /** When to try again. */
  retryAfterMs?: number | null;
}

/** Who speaks. */
export type Role =
  | { tag: 'system'; val?: undefined }
  | { tag: 'developer'; val?: undefined }
  | { tag: 'user'; val?: undefined }
  | { tag: 'assistant'; val?: undefined }
  /** The turn that carries tool results, in formats that have one of its own. */
  | { tag: 'tool'; val?: undefined }
  | { tag: 'other'; val: string };

/** The place up to which a provider may cache the prompt. */
export interface CacheHint {
  /** How long, in the format's spelling: `5m`, `1h`. */
  ttl?: string | null;
}

/** An opaque value by which a provider recognises its own output. It returns only to its issuer. */
export interface Signature {
  /** The family whose value this is: `anthropic`, `gemini`, `openai`. */
  issuer: string;
  value: string;
}

/** A source that a piece of text rests on. */
export interface Citation {
  url?: string | null;
  title?: string | null;
  /** The words that are quoted from the source. */
  quote?: string | null;
  /** Range in the text that the citation belongs to, in Unicode characters. */
  start?: number | null;
  end?: number | null;
  /** The citation in its own format, whole. */
  source?: Opaque | null;
}

/** A value of some format that is carried as it is. */
export interface Opaque {
  /** The format it belongs to. */
  format: string;
  /** Its type within that format: `server_tool_use`. */
  kind: string;
  /** JSON. */
  json: string;
}

/** Text. */
export interface TextPart {
  text: string;
  citations: Citation[];
  signature?: Signature | null;
  cache?: CacheHint | null;
  extensions: Extension[];
}

/** What a medium is. */
export type MediaKind =
  | 'image'
  | 'audio'
  | 'video'
  | 'document';

/** Where the bytes of a medium are. */
export type MediaSource =
  /** An address that the model's provider is to fetch. */
  | { tag: 'url'; val: string }
  /** The bytes in base64, without a data URL's head; often a blob token. */
  | { tag: 'base64'; val: string }
  /** Plain text that stands for a document. */
  | { tag: 'text'; val: string }
  /** An id in the provider's file store; never crosses to another provider. */
  | { tag: 'file-id'; val: string };

/** An image, a sound, a video or a document. */
export interface MediaPart {
  kind: MediaKind;
  /** Media type: `image/png`. None where the format does not say. */
  mime?: string | null;
  source: MediaSource;
  /** File name or title. */
  name?: string | null;
  /** Level of detail, in the format's spelling: `low`, `high`, `auto`. */
  detail?: string | null;
  cache?: CacheHint | null;
  extensions: Extension[];
}

/** What a tool takes. */
export type ToolKind =
  /** Arguments are a JSON object. */
  | 'function'
  /** Arguments are free text. */
  | 'custom';

/** A call that the client is to carry out. A tool that the provider ran itself is an `opaque` part. */
export interface ToolCall {
  id: string;
  name: string;
  kind: ToolKind;
  /** JSON text for a function, plain text for a custom tool. Kept as the other side wrote it. */
  arguments: string;
  signature?: Signature | null;
  cache?: CacheHint | null;
  extensions: Extension[];
}

/** A piece of a tool's result. */
export type ResultPart =
  | { tag: 'text'; val: TextPart }
  | { tag: 'media'; val: MediaPart }
  /** JSON, for formats whose results have structure. */
  | { tag: 'json'; val: string }
  | { tag: 'opaque'; val: Opaque };

/** What a tool call came to, as the client sends it back. */
export interface ToolResult {
  callId: string;
  /** The tool's name, where the format says it; else an adapter that needs it looks it up in the history. */
  name?: string | null;
  content: ResultPart[];
  isError?: boolean | null;
  cache?: CacheHint | null;
  extensions: Extension[];
}

/** The model's thinking. */
export interface ReasoningPart {
  id?: string | null;
  /** The readable text; none where there is only an opaque value. */
  text?: string | null;
  /** Vouches for the text. A signed part is never dropped or edited on its way back to its issuer. */
  signature?: Signature | null;
  /** The thinking itself, unreadable (`redacted_thinking.data`, `encrypted_content`). */
  encrypted?: Signature | null;
  extensions: Extension[];
}

/** A piece of a message. Their order is the order in which they were said. */
export type Part =
  | { tag: 'text'; val: TextPart }
  | { tag: 'media'; val: MediaPart }
  | { tag: 'tool-call'; val: ToolCall }
  | { tag: 'tool-result'; val: ToolResult }
  | { tag: 'reasoning'; val: ReasoningPart }
  /** The model's refusal, in words. */
  | { tag: 'refusal'; val: string }
  /** A part of one format that others have no place for. */
  | { tag: 'opaque'; val: Opaque };

/** One message of the conversation. */
export interface Message {
  role: Role;
  /** The speaker's name, where several share a role. */
  name?: string | null;
  parts: Part[];
  extensions: Extension[];
}

/** A tool that the client carries out. */
export interface FunctionTool {
  name: string;
  description?: string | null;
  /** JSON Schema of the arguments. */
  parameters?: string | null;
  strict?: boolean | null;
  cache?: CacheHint | null;
  extensions: Extension[];
}

/** Something that the model may call. */
export type Tool =
  | { tag: 'function'; val: FunctionTool }
  /** Any other tool: one that the provider runs itself, one that takes free text. Crosses only within its family. */
  | { tag: 'opaque'; val: Opaque };

/** A choice among the request's tools. */
export interface AllowedTools {
  names: string[];
  /** Whether one of them must be called. */
  required: boolean;
}

/** Which tools the model is to call. */
export type ToolChoice =
  /** The model decides. */
  | { tag: 'automatic'; val?: undefined }
  /** No tool may be called. */
  | { tag: 'disabled'; val?: undefined }
  /** Some tool must be called. */
  | { tag: 'required'; val?: undefined }
  /** This tool must be called. */
  | { tag: 'named'; val: string }
  /** Only these may be called. */
  | { tag: 'allowed'; val: AllowedTools }
  | { tag: 'opaque'; val: Opaque };

/** The shape that an answer is to have. */
export interface JsonSchema {
  name?: string | null;
  description?: string | null;
  /** JSON. */
  schema: string;
  strict?: boolean | null;
}

/** What an answer's text is to be. */
export type OutputFormat =
  | { tag: 'plain'; val?: undefined }
  /** Some JSON object. */
  | { tag: 'json'; val?: undefined }
  /** JSON of this schema. */
  | { tag: 'schema'; val: JsonSchema }
  | { tag: 'opaque'; val: Opaque };

/** How the answer is drawn. Ranges are the formats' own: a rendering clamps what its provider does not take. */
export interface Sampling {
  temperature?: number | null;
  topP?: number | null;
  topK?: number | null;
  /** Decimal text. */
  seed?: string | null;
  stop: string[];
  frequencyPenalty?: number | null;
  presencePenalty?: number | null;
  /** How many answers are wanted. */
  candidates?: number | null;
  logprobs?: boolean | null;
  topLogprobs?: number | null;
}

/** Whether the model is to think before it answers. */
export type ReasoningMode =
  | 'disabled'
  | 'enabled'
  /** The model decides how much. */
  | 'adaptive';

/** How the model is to think. Formats say it by a mode, an effort or a budget; each is none where it was not said. */
export interface ReasoningRequest {
  mode?: ReasoningMode | null;
  /** `none`, `minimal`, `low`, `medium`, `high`, or a level of the format's own. */
  effort?: string | null;
  budgetTokens?: number | null;
  /** How the thinking is to be shown: `auto`, `concise`, `detailed`; `omitted` where it is not. */
  summary?: string | null;
  extensions: Extension[];
}

/** A request for an answer, in any of the formats. */
export interface ChatRequest {
  model: string;
  /** System text stands here too, in order, as messages of role system or developer. */
  messages: Message[];
  tools: Tool[];
  toolChoice?: ToolChoice | null;
  parallelToolCalls?: boolean | null;
  output?: OutputFormat | null;
  sampling: Sampling;
  maxOutputTokens?: number | null;
  reasoning?: ReasoningRequest | null;
  stream: boolean;
  /** The client's own name for its end user. */
  endUser?: string | null;
  /** JSON object of the client's own labels. */
  metadata?: string | null;
  serviceTier?: string | null;
  /** Groups requests that share a prompt, for caching. */
  cacheKey?: string | null;
  extensions: Extension[];
}

/** What is billed by the piece. */
export type Unit =
  /** Searches of the web, or runs of a model that ranks documents. */
  | 'search'
  /** Runs of a tool on the provider's side, other than searches. */
  | 'tool-run'
  /** Seconds of audio or video, or of computing. */
  | 'second'
  /** Pages of documents. */
  | 'page'
  /** Images made. */
  | 'image'
  /** Characters of text. */
  | 'character'
  /** Searches of files that the caller stored at the provider. */
  | 'file-search'
  /**
   * Tokens of input that are billed, where the provider bills by another count than the one it reports as usage. The
   * buckets of `usage` then have no price of their own.
   */
  | 'billed-input'
  /** Tokens of output that are billed, likewise. */
  | 'billed-output';

/** A number of such pieces. */
export interface UnitCount {
  unit: Unit;
  /** May be fractional where the unit is a measure. */
  count: number;
}

/**
 * Tokens in disjoint buckets: no token is counted in two of them. None means that the provider did not say. A provider
 * that does not tell two buckets apart counts both in the more general one (`input`, `cache-write`, `output`).
 */
export interface Usage {
  /** Input that was neither read from nor written to a cache. */
  input?: number | null;
  /** The part of such input that is audio. */
  inputAudio?: number | null;
  /** The part of such input that is images or video. */
  inputImage?: number | null;
  /** Input read from a cache, of any kind. */
  cacheRead?: number | null;
  /** Input written to a cache for the provider's usual time (minutes). */
  cacheWrite?: number | null;
  /** Input written to a cache for an hour. */
  cacheWriteHour?: number | null;
  /** Output without reasoning, or all of it where the provider does not tell them apart. */
  output?: number | null;
  /** The part of the output that is audio. */
  outputAudio?: number | null;
  /** The part of the output that is images. */
  outputImage?: number | null;
  reasoning?: number | null;
  /** What is billed by the piece, each unit at most once. */
  units: UnitCount[];
  /** The service tier that served the answer, where the usage reports it. */
  serviceTier?: string | null;
  /** Whether the answer was served at the price of a batch. */
  batch?: boolean | null;
  /** The region that served the answer, in the words of price files (`us`), where the usage reports it. */
  region?: string | null;
  /** Details of one format that have no place above. */
  extensions: Extension[];
}

/** Why an answer ended. */
export type FinishReason =
  /** The answer is complete. */
  | 'complete'
  /** One of the stop sequences came. */
  | 'stop-sequence'
  /** The limit of output tokens was reached. */
  | 'length'
  /** The context window is full. */
  | 'context-length'
  | 'tool-calls'
  | 'content-filter'
  /** The model declined. */
  | 'refusal'
  /** A tool of the provider's is at work; the client is to send the answer back to go on. */
  | 'paused'
  | 'malformed-tool-call'
  /** The provider broke off. */
  | 'failed'
  | 'other';

/** How an answer ended. */
export interface Finish {
  reason: FinishReason;
  /** The provider's own word. */
  raw?: string | null;
  /** Which stop sequence it was. */
  stopSequence?: string | null;
}

/** One of the answers that were asked for; most requests ask for one. */
export interface Candidate {
  index: number;
  parts: Part[];
  finish?: Finish | null;
  /** JSON in OpenAI Chat's shape (`{"content": [...]}`). */
  logprobs?: string | null;
  extensions: Extension[];
}

/** A whole answer. */
export interface ChatResponse {
  id: string;
  /** As the provider names it. */
  model?: string | null;
  createdMs?: number | null;
  candidates: Candidate[];
  usage?: Usage | null;
  serviceTier?: string | null;
  extensions: Extension[];
}

/** The head of a streamed answer. Content that a format puts into its head follows as parts of its own. */
export interface ResponseStart {
  id: string;
  model?: string | null;
  createdMs?: number | null;
  serviceTier?: string | null;
  extensions: Extension[];
}

/** What is known of a tool call when it begins; its arguments follow as deltas. */
export interface ToolStart {
  id: string;
  name: string;
  kind: ToolKind;
  signature?: Signature | null;
}

/** What kind of part begins. */
export type PartKind =
  | { tag: 'text'; val?: undefined }
  | { tag: 'reasoning'; val?: undefined }
  | { tag: 'refusal'; val?: undefined }
  | { tag: 'tool-call'; val: ToolStart }
  /** A part of one format only: its whole value, no deltas follow. */
  | { tag: 'opaque'; val: Opaque }
  /** A medium that the model made: its whole value, no deltas follow. */
  | { tag: 'media'; val: MediaPart };

/** A part begins. */
export interface PartStart {
  candidate: number;
  /** Number of the part within its candidate, counted by the decoder; parts may overlap. */
  part: number;
  kind: PartKind;
}

/** More text of a part: words, thinking, refusal, or a piece of a tool call's arguments. */
export interface PartDelta {
  candidate: number;
  part: number;
  text: string;
}

/** A piece of a tool call's arguments, by its place in them. */
export interface PartArgument {
  candidate: number;
  part: number;
  /**
   * The JSON text that this piece adds to the arguments, as a delta's text would. The texts of all pieces, joined,
   * are the arguments.
   */
  text: string;
  /** Where the value stands in the arguments, as the format writes it (a JSONPath). */
  path: string;
  /** JSON: the value, or the piece of a string that is to be continued. */
  json: string;
  /** Whether more of the same value follows. */
  continues: boolean;
}

/** A part's signature, which comes after its text. */
export interface PartSignature {
  candidate: number;
  part: number;
  signature: Signature;
  /** Whether it stands for the thinking itself (`encrypted`) rather than vouching for the text. */
  encrypted: boolean;
}

/** A citation in a part of text. */
export interface PartCitation {
  candidate: number;
  part: number;
  citation: Citation;
}

/** A part is complete. */
export interface PartStop {
  candidate: number;
  part: number;
  /** Members of the finished part, as in the whole part's `extensions`. */
  extensions: Extension[];
}

/** Log probabilities of the tokens since the last ones. */
export interface CandidateLogprobs {
  candidate: number;
  /** JSON in OpenAI Chat's shape. */
  json: string;
}

/**
 * A candidate is complete. Where a format repeats or corrects its finish, the last one of a candidate counts: the host
 * passes it on when the stream ends.
 */
export interface CandidateFinish {
  candidate: number;
  finish: Finish;
}

/**
 * What happens in a streamed answer. The host's referee sees every event before the dialect does: it starts parts
 * that were not started, stops those left open, numbers tool calls and sees to exactly one finish.
 */
export type ChatEvent =
  /** The first event. A later one may only name the model that goes on with the answer. */
  | { tag: 'start'; val: ResponseStart }
  | { tag: 'part-start'; val: PartStart }
  | { tag: 'delta'; val: PartDelta }
  /**
   * Like a delta, with the place of the piece: only a decoder and an encoder of one family exchange it, for any other
   * encoder the host makes a delta of it.
   */
  | { tag: 'argument'; val: PartArgument }
  | { tag: 'signature'; val: PartSignature }
  | { tag: 'citation'; val: PartCitation }
  | { tag: 'part-stop'; val: PartStop }
  | { tag: 'logprobs'; val: CandidateLogprobs }
  | { tag: 'finish'; val: CandidateFinish }
  /** Tokens so far: a later one replaces the values that it names. */
  | { tag: 'usage'; val: Usage }
  /** The stream has failed; nothing follows. */
  | { tag: 'failure'; val: Error }
  /** An event of one format that others have no place for. */
  | { tag: 'opaque'; val: Opaque };

/** What a decoder makes of some frames. */
export interface Decoded {
  events: ChatEvent[];
  losses: Loss[];
}

/** What an encoder makes of some events. */
export interface Encoded {
  frames: Frame[];
  losses: Loss[];
}

/** A request to send upstream. */
export interface RenderedRequest {
  request: HttpRequest;
  losses: Loss[];
  /** Returned to the later calls of the same exchange. */
  memo: string;
  /** How a streamed answer will be framed, where its content type does not tell. */
  framing?: Framing | null;
}

/** One more request, for APIs that need several steps. */
export interface FollowUp {
  request: HttpRequest;
  /** Another origin than the target's url (`https://host`); it must be approved by the operator. */
  origin?: string | null;
  /** How long to wait before sending it. */
  afterMs: number;
  /** What to send when the client leaves in the meantime. */
  onCancel?: HttpRequest | null;
  /** Whether the answer to it is the stream. */
  stream: boolean;
  /** Replaces the memo. */
  memo: string;
}

/** A whole answer for the client. */
export interface RenderedResponse {
  response: HttpResponse;
  losses: Loss[];
}

/** One thing to embed. */
export type EmbeddingInput =
  | { tag: 'text'; val: string }
  | { tag: 'tokens'; val: number[] }
  | { tag: 'media'; val: MediaPart };

/** How the client wants its vectors. */
export type EmbeddingEncoding =
  | 'floats'
  /** Little-endian 32-bit floats in base64. */
  | 'base64';

/** A request for vectors. */
export interface EmbeddingsRequest {
  model: string;
  inputs: EmbeddingInput[];
  /** Whether a single input was given as such and not as a list. */
  single: boolean;
  dimensions?: number | null;
  encoding?: EmbeddingEncoding | null;
  /** What the vectors are for, in the format's spelling. */
  task?: string | null;
  title?: string | null;
  endUser?: string | null;
  extensions: Extension[];
}

/** The numbers of an embedding. */
export type Vector =
  | { tag: 'floats'; val: number[] }
  /** Little-endian 32-bit floats in base64. */
  | { tag: 'base64'; val: string }
  /** Another kind (int8, binary), in its own format. */
  | { tag: 'opaque'; val: Opaque };

/** The vector of one input. */
export interface Embedding {
  index: number;
  vector: Vector;
}

/** Vectors, one for each input. */
export interface EmbeddingsResponse {
  id?: string | null;
  model?: string | null;
  embeddings: Embedding[];
  usage?: Usage | null;
  extensions: Extension[];
}

/** What a provider tells of one of its models. */
export interface ModelInfo {
  id: string;
  displayName?: string | null;
  createdMs?: number | null;
  owner?: string | null;
  contextTokens?: number | null;
  outputTokens?: number | null;
  extensions: Extension[];
}

/** A request for a list of models, or for one of them. */
export interface ModelsRequest {
  /** The one model asked for, or none for the list. */
  id?: string | null;
  /** Where to go on, as a former answer said. */
  cursor?: string | null;
  limit?: number | null;
}

/** A list of models; of one, where one was asked for. */
export interface ModelsResponse {
  models: ModelInfo[];
  /** Where to go on, if there is more. */
  cursor?: string | null;
}

/** The tokens of a request. */
export interface TokenCount {
  /** All of its input. */
  input: number;
  /** What of that would be read from a cache, where the provider says so. */
  cached?: number | null;
}

/** One document to order. */
export type RerankDocument =
  | { tag: 'text'; val: string }
  /** A JSON object with fields of its own. */
  | { tag: 'json'; val: string };

/** A request to order documents by how well they answer a query. */
export interface RerankRequest {
  model: string;
  query: string;
  documents: RerankDocument[];
  topN?: number | null;
  returnDocuments?: boolean | null;
  extensions: Extension[];
}

/** A document's place in the order. */
export interface RerankResult {
  index: number;
  score: number;
  document?: RerankDocument | null;
}

/** The order, as the provider gives it: usually the best first. */
export interface RerankResponse {
  id?: string | null;
  model?: string | null;
  results: RerankResult[];
  usage?: Usage | null;
  extensions: Extension[];
}

/** An image, made or given. */
export interface Image {
  source: MediaSource;
  /** `image/png`. */
  mime?: string | null;
  /** The prompt as the model rewrote it. */
  revisedPrompt?: string | null;
  extensions: Extension[];
}

/** A request for images. With `images` it edits these. */
export interface ImagesRequest {
  model: string;
  prompt: string;
  images: Image[];
  /** What of the first image may change: its transparent part. */
  mask?: Image | null;
  /** How many are wanted. */
  count?: number | null;
  /** In pixels; none where the format gives a ratio or a word. */
  width?: number | null;
  height?: number | null;
  /** `16:9`, `auto`, in the format's spelling. */
  aspect?: string | null;
  quality?: string | null;
  style?: string | null;
  background?: string | null;
  /** `image/png`. */
  outputMime?: string | null;
  /** Whether addresses are wanted instead of bytes. */
  asUrl?: boolean | null;
  /** Decimal text. */
  seed?: string | null;
  negativePrompt?: string | null;
  stream: boolean;
  /** How many unfinished images a stream may show before each finished one. */
  partialImages?: number | null;
  endUser?: string | null;
  extensions: Extension[];
}

/** Images, as many as the provider made. */
export interface ImagesResponse {
  id?: string | null;
  model?: string | null;
  createdMs?: number | null;
  images: Image[];
  usage?: Usage | null;
  extensions: Extension[];
}

/** A state of one image in a stream. */
export interface ImagesProgress {
  index: number;
  image: Image;
  /** Whether it is the finished one. */
  finished: boolean;
}

/** What happens in a streamed answer of images. */
export type ImagesEvent =
  | { tag: 'image'; val: ImagesProgress }
  | { tag: 'usage'; val: Usage }
  | { tag: 'failure'; val: Error }
  | { tag: 'opaque'; val: Opaque };

/** A request for spoken audio. */
export interface SpeechRequest {
  model: string;
  text: string;
  voice?: string | null;
  /** How it is to be spoken, in words. */
  instructions?: string | null;
  /** `audio/mpeg`. */
  outputMime?: string | null;
  /** 1.0 is the usual speed. */
  speed?: number | null;
  language?: string | null;
  stream: boolean;
  extensions: Extension[];
}

/** Spoken audio. The bytes are base64, usually a blob's token. */
export interface SpeechAnswer {
  audio: string;
  mime?: string | null;
  usage?: Usage | null;
  losses: Loss[];
}

/** A piece of streamed audio. */
export interface SpeechPiece {
  /** Base64; empty in a piece that only reports usage. */
  audio: string;
  usage?: Usage | null;
}

/** What a transcript consists of. */
export type TranscriptDetail =
  /** The text alone. */
  | 'text'
  /** Segments with times. */
  | 'segments'
  /** Words with times. */
  | 'words';

/** A request for the text of spoken audio. */
export interface TranscriptionRequest {
  model: string;
  audio: MediaPart;
  language?: string | null;
  /** Text that guides the spelling. */
  prompt?: string | null;
  /** Whether the text is wanted in English. */
  translate: boolean;
  details: TranscriptDetail[];
  /** Whether speakers are told apart. */
  speakers?: boolean | null;
  temperature?: number | null;
  stream: boolean;
  extensions: Extension[];
}

/** A part of a transcript with its time. */
export interface TranscriptSpan {
  detail: TranscriptDetail;
  text: string;
  /** Seconds from the start of the audio. */
  start: number;
  end: number;
  speaker?: string | null;
  extensions: Extension[];
}

/** A transcript. */
export interface TranscriptionResponse {
  text: string;
  language?: string | null;
  /** Length of the audio, in seconds. */
  seconds?: number | null;
  spans: TranscriptSpan[];
  usage?: Usage | null;
  extensions: Extension[];
}

/** What happens in a streamed transcript. */
export type TranscriptionEvent =
  /** More text. */
  | { tag: 'delta'; val: string }
  | { tag: 'span'; val: TranscriptSpan }
  /** The whole transcript, at the end. */
  | { tag: 'complete'; val: TranscriptionResponse }
  | { tag: 'failure'; val: Error }
  | { tag: 'opaque'; val: Opaque };

/** A request for a verdict on content. */
export interface ModerationRequest {
  model?: string | null;
  /** One verdict is wanted for each. */
  inputs: Part[][];
  extensions: Extension[];
}

/** How the content fares in one category. */
export interface ModerationCategory {
  /** In the format's spelling: `hate/threatening`. */
  name: string;
  flagged: boolean;
  score?: number | null;
}

/** The verdict on one input. */
export interface ModerationVerdict {
  flagged: boolean;
  categories: ModerationCategory[];
  extensions: Extension[];
}

/** Verdicts, one for each input. */
export interface ModerationResponse {
  id?: string | null;
  model?: string | null;
  verdicts: ModerationVerdict[];
  usage?: Usage | null;
  extensions: Extension[];
}

/**
 * What an adapter says about itself: all that the host must know of a format, as data.
 *
 * The host knows no wire format. Where no component runs (recognising a request, relaying bytes, metering, answering
 * with an error) it works from this record alone. It is read once, when the component is admitted.
 *
 * Pointers are JSON pointers (RFC 6901) in which a segment `*` stands for every element of an array.
 */
export interface About {
  /** The manifest. Pure, without arguments, always the same. */
  describe(): Manifest;
}

/**
 * Reads a streamed answer, frame by frame. It keeps what it needs from frame to frame; the constructor cannot fail,
 * so what is wrong with the context shows at the first push.
 */
export interface ChatDecoder {
  /** The frames of one read, in order. The same frames give the same events however they are grouped. */
  push(frames: Frame[]): Decoded;
  /** The upstream has ended in an orderly way. */
  finish(): Decoded;
}

/** A provider of answers: from the unified model to its format and back. */
export interface ProviderChat {
  /**
   * Turns a request of the unified model into one that the provider understands.
   *
   * Dropping tools, tool results, media or system text is an error of kind `unsupported`, never a loss.
   */
  renderRequest(ctx: Context, request: ChatRequest): RenderedRequest;
  /** Reads a whole answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): ChatOutcome;
  ChatDecoder: new (ctx: Context) => ChatDecoder;
}

/** Writes a streamed answer, event by event. */
export interface ChatEncoder {
  /** The events of one read, in order, as the referee lets them through. */
  push(events: ChatEvent[]): Encoded;
  /** All events have been pushed, the finish or a failure among them. */
  finish(): Encoded;
}

/** A format that clients use: from it to the unified model and back. */
export interface DialectChat {
  /** Reads a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedChat;
  /** Writes a whole answer. */
  renderResponse(ctx: Context, response: ChatResponse): RenderedResponse;
  ChatEncoder: new (ctx: Context) => ChatEncoder;
}

/** A provider that counts the tokens of a request. */
export interface ProviderCountTokens {
  /** Turns a request of the unified model into one that the provider understands. */
  renderRequest(ctx: Context, request: ChatRequest): RenderedRequest;
  /** Reads an answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): TokenCount;
}

/** A format in which clients have the tokens of a request counted. */
export interface DialectCountTokens {
  /** Reads a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedCount;
  /** Writes the answer. */
  renderResponse(ctx: Context, response: TokenCount): RenderedResponse;
}

/** A provider of embeddings. */
export interface ProviderEmbeddings {
  /** Turns a request of the unified model into one that the provider understands. */
  renderRequest(ctx: Context, request: EmbeddingsRequest): RenderedRequest;
  /** Reads an answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): EmbeddingsResponse;
}

/** A format in which clients ask for embeddings. */
export interface DialectEmbeddings {
  /** Reads a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedEmbeddings;
  /** Writes the answer. */
  renderResponse(ctx: Context, response: EmbeddingsResponse): RenderedResponse;
}

/** Parses a streamed answer, frame by frame. */
export interface ImagesDecoder {
  /** The frames of one read, in order. */
  push(frames: Frame[]): DecodedImages;
  /** The upstream has ended in an orderly way. */
  finish(): DecodedImages;
}

/** The provider side of making and editing images. Nothing calls it yet: requests for images are relayed. */
export interface ProviderImages {
  /** Renders a request of the unified model for the provider. */
  renderRequest(ctx: Context, request: ImagesRequest): RenderedRequest;
  /** Parses a whole answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): ImagesOutcome;
  ImagesDecoder: new (ctx: Context) => ImagesDecoder;
}

/** Renders a streamed answer, event by event. */
export interface ImagesEncoder {
  /** The events of one read, in order. */
  push(events: ImagesEvent[]): Encoded;
  /** All events have been pushed. */
  finish(): Encoded;
}

/** The dialect side of making and editing images. Nothing calls it yet: requests for images are relayed. */
export interface DialectImages {
  /** Parses a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedImages;
  /** Renders a whole answer. */
  renderResponse(ctx: Context, response: ImagesResponse): RenderedResponse;
  ImagesEncoder: new (ctx: Context) => ImagesEncoder;
}

/** A provider's list of models. */
export interface ProviderModels {
  /** Turns a request of the unified model into one that the provider understands. */
  renderRequest(ctx: Context, request: ModelsRequest): RenderedRequest;
  /** Reads an answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): ModelsResponse;
}

/** A format in which clients ask for models. */
export interface DialectModels {
  /** Reads a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedModels;
  /** Writes the list, or the one model that was asked for. */
  renderResponse(ctx: Context, response: ModelsResponse): RenderedResponse;
}

/** The provider side of moderation: a verdict on content. Nothing calls it yet: requests for moderation are relayed. */
export interface ProviderModerations {
  /** Renders a request of the unified model for the provider. */
  renderRequest(ctx: Context, request: ModerationRequest): RenderedRequest;
  /** Parses a whole answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): ModerationAnswer;
}

/** The dialect side of moderation. Nothing calls it yet: requests for moderation are relayed. */
export interface DialectModerations {
  /** Parses a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedModeration;
  /** Renders a whole answer. */
  renderResponse(ctx: Context, response: ModerationResponse): RenderedResponse;
}

/** Errors of a provider, whatever the operation. */
export interface ProviderErrors {
  /**
   * Reads an answer with a status of 400 or over: what kind of error is it, what may be told, when to try again.
   * The body may be anything: HTML, empty, cut short.
   */
  parseError(ctx: Context, response: HttpResponse): Error;
}

/** A provider that orders documents by how well they answer a query. */
export interface ProviderRerank {
  /** Turns a request of the unified model into one that the provider understands. */
  renderRequest(ctx: Context, request: RerankRequest): RenderedRequest;
  /** Reads an answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): RerankResponse;
}

/** A format in which clients have documents ordered. */
export interface DialectRerank {
  /** Reads a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedRerank;
  /** Writes the answer. */
  renderResponse(ctx: Context, response: RerankResponse): RenderedResponse;
}

/** The provider side of speech: audio from text. Nothing calls it yet: requests for speech are relayed. */
export interface ProviderSpeech {
  /** Renders a request of the unified model for the provider. */
  renderRequest(ctx: Context, request: SpeechRequest): RenderedRequest;
  /** Parses a whole answer with a status below 400. An answer of bare audio has its bytes as the body. */
  parseResponse(ctx: Context, response: HttpResponse): SpeechAnswer;
  /** Parses the frames of a streamed answer. */
  parseFrames(ctx: Context, frames: Frame[]): SpeechPiece[];
}

/** The dialect side of speech. Nothing calls it yet: requests for speech are relayed. */
export interface DialectSpeech {
  /** Parses a client's request. */
  parseRequest(ctx: Context, request: HttpRequest): ParsedSpeech;
  /** Renders a whole answer. */
  renderResponse(ctx: Context, answer: SpeechAnswer): RenderedResponse;
  /** Renders pieces of a streamed answer. */
  renderPieces(ctx: Context, pieces: SpeechPiece[]): Frame[];
}

/** The provider side of transcription: text from audio. Nothing calls it yet: requests for transcription are relayed. */
export interface ProviderTranscription {
  /** Renders a request of the unified model for the provider. */
  renderRequest(ctx: Context, request: TranscriptionRequest): RenderedRequest;
  /** Parses a whole answer with a status below 400. */
  parseResponse(ctx: Context, response: HttpResponse): TranscriptionAnswer;
  /** Parses the frames of a streamed answer. */
  parseFrames(ctx: Context, frames: Frame[]): TranscriptionEvent[];
}

/** The dialect side of transcription. Nothing calls it yet: requests for transcription are relayed. */
export interface DialectTranscription {
  /**
   * Parses a client's request: the host has split a multipart body into the fields that the face names, and lifted the
   * audio out as a blob.
   */
  parseRequest(ctx: Context, request: HttpRequest): ParsedTranscription;
  /** Renders a whole answer. */
  renderResponse(ctx: Context, response: TranscriptionResponse): RenderedResponse;
  /** Renders events of a streamed answer. */
  renderEvents(ctx: Context, events: TranscriptionEvent[]): Frame[];
}
