#include "wire.h"

static const struct {
    const char *code;
    uint8_t kind;
} CODES[] = {
    {"context_length_exceeded", TAG(ERROR_KIND_CONTEXT_LENGTH)},
    {"insufficient_quota", TAG(ERROR_KIND_QUOTA)},
    {"content_filter", TAG(ERROR_KIND_CONTENT_FILTERED)},
    {"content_policy_violation", TAG(ERROR_KIND_CONTENT_FILTERED)},
    {"model_not_found", TAG(ERROR_KIND_NOT_FOUND)},
    {"invalid_api_key", TAG(ERROR_KIND_AUTHENTICATION)},
    {"rate_limit_exceeded", TAG(ERROR_KIND_RATE_LIMITED)},
};

static uint8_t kind_of_status(uint16_t status) {
    switch (status) {
    case 401: return TAG(ERROR_KIND_AUTHENTICATION);
    case 402: return TAG(ERROR_KIND_QUOTA);
    case 403: return TAG(ERROR_KIND_PERMISSION);
    case 404: return TAG(ERROR_KIND_NOT_FOUND);
    case 408: case 504: return TAG(ERROR_KIND_TIMEOUT);
    case 413: return TAG(ERROR_KIND_TOO_LARGE);
    case 429: return TAG(ERROR_KIND_RATE_LIMITED);
    case 503: case 529: return TAG(ERROR_KIND_OVERLOADED);
    }
    return status >= 400 && status < 500 ? TAG(ERROR_KIND_INVALID_REQUEST) : TAG(ERROR_KIND_UPSTREAM);
}

T(error_t) wire_error(const json *error, uint16_t status) {
    const json *code = json_get(error, "code");
    T(error_t) e = {.kind = kind_of_status(status)};
    if (!status && json_equals(json_get(error, "type"), "invalid_request_error")) e.kind = TAG(ERROR_KIND_INVALID_REQUEST);
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
        if (json_equals(code, CODES[i].code)) e.kind = CODES[i].kind;
    if (status) e.status = (adapter_option_u16_t)SOME(status);
    if (json_has_text(code)) e.code = json_opt_text(code);
    e.param = json_opt_text(json_get(error, "param"));
    const json *message = json_get(error, "message");
    if (e.kind == TAG(ERROR_KIND_AUTHENTICATION)) {
        // Providers repeat parts of the key in these messages; clients must not see them.
        e.message = text("the provider refused the credential");
    } else if (json_has_text(message)) {
        e.message = json_text(message);
    } else {
        e.message = textf("the provider answered with status %d", status);
    }
    return e;
}

bool wire_failed(const json *answer) {
    const json *error = json_get(answer, "error");
    return error && error->kind != JSON_NULL;
}

T(finish_t) wire_finish(const json *reason, bool called) {
    T(finish_t) finish = {.reason = TAG(FINISH_REASON_OTHER), .raw = json_opt_text(reason)};
    if (json_equals(reason, "stop")) finish.reason = TAG(FINISH_REASON_COMPLETE);
    if (json_equals(reason, "length")) finish.reason = TAG(FINISH_REASON_LENGTH);
    if (json_equals(reason, "tool_calls")) finish.reason = TAG(FINISH_REASON_TOOL_CALLS);
    if (json_equals(reason, "content_filter")) finish.reason = TAG(FINISH_REASON_CONTENT_FILTER);
    bool natural = finish.reason == TAG(FINISH_REASON_COMPLETE) || finish.reason == TAG(FINISH_REASON_OTHER);
    if (called && natural) finish.reason = TAG(FINISH_REASON_TOOL_CALLS);
    return finish;
}

// Takes a part out of its total. A part that exceeds the total was not counted in it.
static adapter_option_u32_t part(adapter_option_u32_t *total, const json *details, const char *name) {
    adapter_option_u32_t part = json_count(json_get(details, name));
    if (total->is_some && part.is_some && part.val <= total->val) total->val -= part.val;
    return part;
}

// The audio or image tokens of a total: at most what is left of it, and none for zero.
static adapter_option_u32_t share(adapter_option_u32_t *left, const json *details, const char *name) {
    adapter_option_u32_t share = json_count(json_get(details, name));
    if (share.val > left->val) share.val = left->val;
    left->val -= share.val;
    share.is_some = share.val > 0;
    return share;
}

T(usage_t) wire_usage(const json *usage) {
    const json *input = json_get(usage, "prompt_tokens_details"), *output = json_get(usage, "completion_tokens_details");
    T(usage_t) u = {0};
    u.input = json_count(json_get(usage, "prompt_tokens"));
    u.cache_read = part(&u.input, input, "cached_tokens");
    u.input_audio = share(&u.input, input, "audio_tokens");
    u.input_image = share(&u.input, input, "image_tokens");
    u.output = json_count(json_get(usage, "completion_tokens"));
    u.reasoning = part(&u.output, output, "reasoning_tokens");
    u.output_audio = share(&u.output, output, "audio_tokens");
    u.output_image = share(&u.output, output, "image_tokens");
    return u;
}

adapter_option_f64_t wire_milliseconds(const json *seconds) {
    adapter_option_f64_t time = json_number(seconds);
    time.val *= 1000;
    return time;
}
