// Parses whole answers.
#include "response.h"

static T(part_t) words(uint8_t tag, const json *value) {
    T(part_t) part = {.tag = tag};
    switch (tag) {
    case TAG(PART_REASONING): part.val.reasoning.text = json_opt_text(value); break;
    case TAG(PART_TEXT): part.val.text.text = json_text(value); break;
    default: part.val.refusal = json_text(value);
    }
    return part;
}

static T(candidate_t) candidate(const json *choice) {
    const json *message = json_get(choice, "message"), *calls = json_get(message, "tool_calls");
    T(candidate_t) c = {.index = json_count(json_get(choice, "index")).val};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        const json *value = json_get(message, WORDS[i].member);
        if (json_has_text(value)) PUSH(c.parts, words(WORDS[i].part, value));
    }
    bool called = false;
    for (const json *call = calls ? calls->child : NULL; call; call = call->next) {
        const json *function = json_get(call, "function");
        T(part_t) part = {.tag = TAG(PART_TOOL_CALL)};
        part.val.tool_call.id = json_text(json_get(call, "id"));
        part.val.tool_call.name = json_text(json_get(function, "name"));
        part.val.tool_call.arguments = json_text(json_get(function, "arguments"));
        PUSH(c.parts, part);
        called = true;
    }
    const json *reason = json_get(choice, "finish_reason");
    if (json_has_text(reason)) c.finish = (T(option_finish_t))SOME(wire_finish(reason, called));
    return c;
}

bool exports_weir_adapter_provider_chat_parse_response(T(context_t) * ctx, T(http_response_t) * response,
                                                       CHAT(chat_outcome_t) * ret, T(error_t) * err) {
    memset(ret, 0, sizeof *ret);
    T(chat_response_t) *said = &ret->val.complete.response;
    json *answer = json_read(body_text(&response->body));
    bool good = answer != NULL || fail(err, TAG(ERROR_KIND_UPSTREAM), "the provider's answer is no JSON");
    if (wire_failed(answer)) {
        *err = wire_error(json_get(answer, "error"), 0);
        good = false;
    }
    if (good) {
        said->id = json_text(json_get(answer, "id"));
        said->model = json_opt_text(json_get(answer, "model"));
        said->created_ms = wire_milliseconds(json_get(answer, "created"));
        const json *choices = json_get(answer, "choices"), *usage = json_get(answer, "usage");
        for (const json *choice = choices ? choices->child : NULL; choice; choice = choice->next)
            PUSH(said->candidates, candidate(choice));
        if (json_is(usage, JSON_OBJECT)) said->usage = (T(option_usage_t))SOME(wire_usage(usage));
    }
    json_free(answer);
    T(context_free)(ctx);
    T(http_response_free)(response);
    return good;
}
