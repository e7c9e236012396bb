// Renders requests: from the unified model to the provider's format.
#include "request.h"

void refuse(request *r, const char *message, str field) {
    if (r->refused) {
        free(field.ptr);
        return;
    }
    r->refused = true;
    fail(&r->error, TAG(ERROR_KIND_UNSUPPORTED), message);
    r->error.param = (opt_str)SOME(field);
}

void put_extensions(request *r, const char *place, const T(list_extension_t) * extensions) {
    for (size_t i = 0; i < extensions->len; i++) {
        const T(extension_t) *e = &extensions->ptr[i];
        if (!equals(e->format, FORMAT)) {
            LOSE(r, DROPPED, "it belongs to another format", "%s%.*s", place, (int)e->key.len, (char *)e->key.ptr);
        } else if (!equals(e->json, "null") && !equals(e->key, "stream_options")) {
            put_str(&r->body, e->key);
            put_raw(&r->body, ":", 1);
            put_json(&r->body, e->json);
        }
    }
}

void lose_hint(request *r, const char *place, const T(option_cache_hint_t) * cache) {
    if (cache->is_some) LOSE(r, DROPPED, "caching is the provider's own decision", "%scache_control", place);
}

static bool is_allowed(const T(option_tool_choice_t) * choice, str name) {
    if (!choice->is_some || choice->val.tag != TAG(TOOL_CHOICE_ALLOWED)) return true;
    const adapter_list_string_t *names = &choice->val.val.allowed.names;
    for (size_t i = 0; i < names->len; i++)
        if (names->ptr[i].len == name.len && memcmp(names->ptr[i].ptr, name.ptr, name.len) == 0) return true;
    return false;
}

static void put_tools(request *r, const T(chat_request_t) * q) {
    out *o = &r->body;
    if (!q->tools.len) return;
    put_key(o, "tools");
    put_open(o, '[');
    for (size_t i = 0; i < q->tools.len; i++) {
        if (q->tools.ptr[i].tag != TAG(TOOL_FUNCTION)) {
            refuse(r, "only functions are taken as tools here", textf("tools[%zu]", i));
            continue;
        }
        const T(function_tool_t) *tool = &q->tools.ptr[i].val.function;
        if (!is_allowed(&q->tool_choice, tool->name)) continue;
        put_open(o, '{');
        put_key(o, "type");
        put_c(o, "function");
        put_key(o, "function");
        put_open(o, '{');
        put_key(o, "name");
        put_str(o, tool->name);
        put_opt_str(o, "description", tool->description);
        put_opt_bool(o, "strict", tool->strict);
        if (tool->parameters.is_some) {
            put_key(o, "parameters");
            put_json(o, tool->parameters.val);
        }
        put_close(o, '}');
        lose_hint(r, "tools[].", &tool->cache);
        put_extensions(r, "tools[].", &tool->extensions);
        put_close(o, '}');
    }
    put_close(o, ']');
}

static void put_choice(request *r, const T(option_tool_choice_t) * choice) {
    static const char *const WORDS[] = {"auto", "none", "required"};
    out *o = &r->body;
    if (!choice->is_some) return;
    uint8_t tag = choice->val.tag;
    if (tag == TAG(TOOL_CHOICE_OPAQUE)) {
        LOSE(r, DROPPED, "it belongs to another format", "tool_choice");
        return;
    }
    put_key(o, "tool_choice");
    if (tag <= TAG(TOOL_CHOICE_REQUIRED)) {
        put_c(o, WORDS[tag]);
    } else if (tag == TAG(TOOL_CHOICE_ALLOWED)) {
        LOSE(r, APPROXIMATED, "the list of tools is narrowed instead", "tool_choice");
        put_c(o, choice->val.val.allowed.required ? "required" : "auto");
    } else {
        put_open(o, '{');
        put_key(o, "type");
        put_c(o, "function");
        put_key(o, "function");
        put_open(o, '{');
        put_key(o, "name");
        put_str(o, choice->val.val.named);
        put_close(o, '}');
        put_close(o, '}');
    }
}

static void put_output(request *r, const T(option_output_format_t) * output) {
    static const char *const TYPES[] = {"text", "json_object", "json_schema"};
    out *o = &r->body;
    if (!output->is_some) return;
    if (output->val.tag == TAG(OUTPUT_FORMAT_OPAQUE)) {
        LOSE(r, DROPPED, "it belongs to another format", "response_format");
        return;
    }
    put_key(o, "response_format");
    put_open(o, '{');
    put_key(o, "type");
    put_c(o, TYPES[output->val.tag]);
    if (output->val.tag == TAG(OUTPUT_FORMAT_SCHEMA)) {
        const T(json_schema_t) *schema = &output->val.val.schema;
        put_key(o, "json_schema");
        put_open(o, '{');
        put_key(o, "name");
        put_str(o, schema->name.is_some ? schema->name.val : BORROWED("response"));
        put_opt_str(o, "description", schema->description);
        put_key(o, "schema");
        put_json(o, schema->schema);
        put_opt_bool(o, "strict", schema->strict);
        put_close(o, '}');
    }
    put_close(o, '}');
}

static void put_sampling(request *r, const T(sampling_t) * s) {
    out *o = &r->body;
    put_opt_number(o, "temperature", s->temperature);
    put_opt_number(o, "top_p", s->top_p);
    put_opt_number(o, "frequency_penalty", s->frequency_penalty);
    put_opt_number(o, "presence_penalty", s->presence_penalty);
    put_opt_count(o, "n", s->candidates);
    put_opt_bool(o, "logprobs", s->logprobs);
    put_opt_count(o, "top_logprobs", s->top_logprobs);
    if (s->seed.is_some) {
        put_key(o, "seed");
        put_json(o, s->seed.val);
    }
    if (s->stop.len) {
        put_key(o, "stop");
        put_open(o, '[');
        for (size_t i = 0; i < s->stop.len; i++) put_str(o, s->stop.ptr[i]);
        put_close(o, ']');
    }
    if (s->top_k.is_some) LOSE(r, DROPPED, "the provider does not know it", "top_k");
}

static void put_body(request *r, const T(context_t) * ctx, const T(chat_request_t) * q) {
    out *o = &r->body;
    put_open(o, '{');
    put_key(o, "model");
    put_str(o, ctx->model.len ? ctx->model : q->model);
    put_messages(r, &q->messages);
    put_tools(r, q);
    put_choice(r, &q->tool_choice);
    put_opt_bool(o, "parallel_tool_calls", q->parallel_tool_calls);
    put_output(r, &q->output);
    put_sampling(r, &q->sampling);
    if (q->reasoning.is_some) {
        put_opt_str(o, "reasoning_effort", q->reasoning.val.effort);
        if (q->reasoning.val.budget_tokens.is_some)
            LOSE(r, DROPPED, "thinking is steered by levels here", "reasoning.budget_tokens");
    }
    put_opt_count(o, "max_tokens", q->max_output_tokens);
    put_opt_str(o, "user", q->end_user);
    put_opt_str(o, "service_tier", q->service_tier);
    put_opt_str(o, "prompt_cache_key", q->cache_key);
    if (q->metadata.is_some) {
        put_key(o, "metadata");
        put_json(o, q->metadata.val);
    }
    if (q->stream) {
        // Asks for usage in every stream: Weir meters it, and removes it if the client did not ask.
        put_key(o, "stream");
        put_bool(o, true);
        put_key(o, "stream_options");
        put_json(o, BORROWED("{\"include_usage\":true}"));
    }
    put_extensions(r, "", &q->extensions);
    put_close(o, '}');
}

bool exports_weir_adapter_provider_chat_render_request(T(context_t) * ctx, T(chat_request_t) * q,
                                                       T(rendered_request_t) * ret, T(error_t) * err) {
    request r = {0};
    put_body(&r, ctx, q);
    T(context_free)(ctx);
    T(chat_request_free)(q);
    if (r.refused) {
        // A failed request leaves nothing allocated but its error.
        free(r.body.ptr);
        T(list_loss_free)(&r.losses);
        *err = r.error;
        return false;
    }
    memset(ret, 0, sizeof *ret);
    ret->request.method = text("POST");
    ret->request.path = text("chat/completions");
    ret->request.body.tag = TAG(BODY_TEXT);
    ret->request.body.val.text = (str){(uint8_t *)r.body.ptr, r.body.len};
    ret->losses = r.losses;
    return true;
}
