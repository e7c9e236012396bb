// The manifest. Weir works from it alone when no component runs: which requests may be relayed untouched, how usage is
// read from answers, how keys are sent. `wit/deps/weir/about.wit` has every field.
#include "common.h"

static ABOUT(frame_test_t) present(const char *pointer) {
    return (ABOUT(frame_test_t)){.tag = ABOUT_TAG(FRAME_TEST_PRESENT), .val.present = text(pointer)};
}

static ABOUT(frame_test_t) is(const char *pointer, const char *json) {
    return (ABOUT(frame_test_t)){.tag = ABOUT_TAG(FRAME_TEST_EQUALS), .val.equals = {text(pointer), text(json)}};
}

// A bucket of tokens and its pointer.
static ABOUT(usage_place_t) place(uint8_t bucket, const char *pointer) {
    ABOUT(usage_place_t) p = {.bucket = bucket, .merge = ABOUT_TAG(MERGE_LAST)};
    PUSH(p.pointers, text(pointer));
    return p;
}

// A total that includes three other buckets.
static ABOUT(usage_place_t) total(uint8_t bucket, const char *pointer, const uint8_t includes[3]) {
    ABOUT(usage_place_t) p = place(bucket, pointer);
    for (size_t i = 0; i < 3; i++) PUSH(p.includes, includes[i]);
    return p;
}

// How usage and the like are read from relayed answers.
static ABOUT(tap_t) tap(void) {
    static const uint8_t INPUT_PARTS[3] = {
        ABOUT_TAG(BUCKET_CACHE_READ), ABOUT_TAG(BUCKET_INPUT_AUDIO), ABOUT_TAG(BUCKET_INPUT_IMAGE)};
    static const uint8_t OUTPUT_PARTS[3] = {
        ABOUT_TAG(BUCKET_REASONING), ABOUT_TAG(BUCKET_OUTPUT_AUDIO), ABOUT_TAG(BUCKET_OUTPUT_IMAGE)};
    ABOUT(tap_t) t = {0};
    PUSH(t.usage, total(ABOUT_TAG(BUCKET_INPUT), "/usage/prompt_tokens", INPUT_PARTS));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_CACHE_READ), "/usage/prompt_tokens_details/cached_tokens"));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_INPUT_AUDIO), "/usage/prompt_tokens_details/audio_tokens"));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_INPUT_IMAGE), "/usage/prompt_tokens_details/image_tokens"));
    PUSH(t.usage, total(ABOUT_TAG(BUCKET_OUTPUT), "/usage/completion_tokens", OUTPUT_PARTS));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_REASONING), "/usage/completion_tokens_details/reasoning_tokens"));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_OUTPUT_AUDIO), "/usage/completion_tokens_details/audio_tokens"));
    PUSH(t.usage, place(ABOUT_TAG(BUCKET_OUTPUT_IMAGE), "/usage/completion_tokens_details/image_tokens"));
    PUSH(t.finish, text("/choices/*/finish_reason"));
    PUSH(t.model, text("/model"));
    PUSH(t.content, present("/choices/*/delta/content"));
    PUSH(t.content, present("/choices/*/delta/tool_calls"));
    PUSH(t.content, present("/choices/*/message"));
    ABOUT(frame_test_t) end = {.tag = ABOUT_TAG(FRAME_TEST_DATA), .val.data = text("[DONE]")};
    PUSH(t.end, end);
    PUSH(t.failure, present("/error"));
    return t;
}

static ABOUT(acceptance_t) acceptance(const char *format, uint8_t operation, const char *method, const char *path) {
    static const char *const HEADERS[] = {"x-request-id", "x-ratelimit-*", "retry-after", "retry-after-ms"};
    ABOUT(acceptance_t) a = {.format = text(format), .operation.tag = operation, .method = text(method), .path = text(path)};
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++) PUSH(a.response_headers, text(HEADERS[i]));
    return a;
}

// Requests that may go to the provider unchanged. A request that the provider does not accept as the format defines it
// must be translated: each exclusion is one reason.
static ABOUT(acceptance_t) chat(void) {
    ABOUT(acceptance_t) a = acceptance(FORMAT, ABOUT_TAG(OPERATION_CHAT), "POST", "chat/completions");
    ABOUT(exclusion_t) limit = {present("/max_completion_tokens"), text("it is called max_tokens here")};
    ABOUT(exclusion_t) developer = {is("/messages/*/role", "\"developer\""), text("the role is not known here")};
    PUSH(a.exclusions, limit);
    PUSH(a.exclusions, developer);
    ABOUT(usage_request_t) usage = {text("/stream_options/include_usage"), text("true"), is("/choices", "[]")};
    a.ask_usage = (ABOUT(option_usage_request_t))SOME(usage);
    a.preferred = true;
    return a;
}

// Returns the manifest, which never changes.
void exports_weir_adapter_about_describe(ABOUT(manifest_t) * m) {
    memset(m, 0, sizeof *m);
    m->name = text("acme");
    m->version = text("0.1.0");
    m->contract = text(CONTRACT);
    m->description = text("acme: chat completions and models");
    m->family = text("openai");
    m->isolation = ABOUT_TAG(ISOLATION_TENANT);
    m->takes_blobs = true;
    // What an operator need not write then, once the component's digest is in the lock file:
    // m->suggests.url = (opt_str)SOME(text("https://api.example.com/v1/"));
    // PUSH(m->suggests.key_variables, text("API_KEY"));
    ABOUT(format_t) format = {.id = text(FORMAT), .tap = SOME(tap())}, models = {.id = text(MODELS_FORMAT)};
    PUSH(m->formats, format);
    PUSH(m->formats, models);
    PUSH(m->accepts, chat());
    PUSH(m->accepts, acceptance(MODELS_FORMAT, ABOUT_TAG(OPERATION_MODELS), "GET", "models"));
    PUSH(m->accepts, acceptance(MODELS_FORMAT, ABOUT_TAG(OPERATION_MODELS), "GET", "models/{model}"));
    ABOUT(auth_t) bearer = {.name = text("bearer"), .scheme.tag = ABOUT_TAG(AUTH_SCHEME_BEARER)};
    PUSH(m->auth, bearer);
    ABOUT(operation_t) chats = {.tag = ABOUT_TAG(OPERATION_CHAT)}, lists = {.tag = ABOUT_TAG(OPERATION_MODELS)};
    PUSH(m->capabilities.operations, chats);
    PUSH(m->capabilities.operations, lists);
    PUSH(m->capabilities.media, text("image"));
    m->capabilities.tools = true;
}
