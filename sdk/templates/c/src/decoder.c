// Decodes streamed answers, chunk by chunk. The same chunks give the same events however they are grouped.
#include "response.h"

// A call of a candidate: its aliases, and its part.
typedef struct {
    uint32_t index, part;
    str id;
} call;

// One candidate of the answer.
typedef struct {
    uint32_t index, parts;
    bool finished;
    // The part that text is added to, if any.
    bool open;
    uint8_t open_kind;
    uint32_t open_part;
    struct {
        call *ptr;
        size_t len;
    } calls;
} progress;

struct exports_weir_adapter_provider_chat_chat_decoder_t {
    bool started, done, failed;
    struct {
        progress *ptr;
        size_t len;
    } candidates;
};
typedef CHAT(chat_decoder_t) decoder;
typedef T(list_chat_event_t) events;

CHAT(own_chat_decoder_t) exports_weir_adapter_provider_chat_constructor_chat_decoder(T(context_t) * ctx) {
    T(context_free)(ctx);
    decoder *d = memset(grow(NULL, sizeof *d), 0, sizeof *d);
    return CHAT(chat_decoder_new)(d);
}

void exports_weir_adapter_provider_chat_chat_decoder_destructor(decoder *d) {
    for (size_t i = 0; i < d->candidates.len; i++) {
        progress *c = &d->candidates.ptr[i];
        for (size_t j = 0; j < c->calls.len; j++) free(c->calls.ptr[j].id.ptr);
        free(c->calls.ptr);
    }
    free(d->candidates.ptr);
    free(d);
}

#define EVENT(kind, member, ...) ((T(chat_event_t)){.tag = TAG(CHAT_EVENT_##kind), .val.member = __VA_ARGS__})

static uint32_t start(events *e, progress *c, T(part_kind_t) kind) {
    PUSH(*e, EVENT(PART_START, part_start, {c->index, c->parts, kind}));
    return c->parts++;
}

static void stop(events *e, progress *c, uint32_t part) {
    PUSH(*e, EVENT(PART_STOP, part_stop, {.candidate = c->index, .part = part}));
}

static void stop_words(events *e, progress *c) {
    if (c->open) stop(e, c, c->open_part);
    c->open = false;
}

static void delta(events *e, progress *c, uint32_t part, const json *words) {
    PUSH(*e, EVENT(DELTA, delta, {c->index, part, json_text(words)}));
}

// Adds text to the part of its kind. An empty piece changes nothing.
static void say(events *e, progress *c, uint8_t kind, const json *words) {
    if (!json_has_text(words)) return;
    if (!c->open || c->open_kind != kind) {
        stop_words(e, c);
        c->open_part = start(e, c, (T(part_kind_t)){.tag = kind});
        c->open = true;
        c->open_kind = kind;
    }
    delta(e, c, c->open_part, words);
}

// The call that a piece belongs to; NULL if it begins one. An index may be missing or used again: the id decides.
static call *find(progress *c, const json *piece) {
    adapter_option_u32_t index = json_count(json_get(piece, "index"));
    str id = json_text(json_get(piece, "id"));
    call *found = NULL;
    for (size_t i = 0; i < c->calls.len; i++) {
        call *known = &c->calls.ptr[i];
        bool same_id = id.len == known->id.len && id.len && memcmp(id.ptr, known->id.ptr, id.len) == 0;
        bool same_index = !index.is_some || known->index == index.val;
        if (id.len ? same_id : same_index) found = known;
    }
    free(id.ptr);
    return found;
}

static void take_call(events *e, progress *c, const json *piece) {
    const json *id = json_get(piece, "id"), *function = json_get(piece, "function"), *name = json_get(function, "name");
    call *known = find(c, piece);
    if (!known) {
        if (!json_has_text(id) && !json_has_text(name)) return;
        stop_words(e, c);
        T(part_kind_t) kind = {.tag = TAG(PART_KIND_TOOL_CALL)};
        kind.val.tool_call.id = json_text(id);
        kind.val.tool_call.name = json_text(name);
        adapter_option_u32_t index = json_count(json_get(piece, "index"));
        call begun = {index.is_some ? index.val : (uint32_t)c->calls.len, start(e, c, kind), json_text(id)};
        PUSH(c->calls, begun);
        known = &c->calls.ptr[c->calls.len - 1];
    }
    const json *arguments = json_get(function, "arguments");
    if (json_has_text(arguments)) delta(e, c, known->part, arguments);
}

static progress *candidate(decoder *d, uint32_t index) {
    for (size_t i = 0; i < d->candidates.len; i++)
        if (d->candidates.ptr[i].index == index) return &d->candidates.ptr[i];
    progress begun = {.index = index};
    PUSH(d->candidates, begun);
    return &d->candidates.ptr[d->candidates.len - 1];
}

static void take_choice(decoder *d, events *e, const json *choice) {
    progress *c = candidate(d, json_count(json_get(choice, "index")).val);
    if (c->finished) return;
    const json *news = json_get(choice, "delta"), *calls = json_get(news, "tool_calls");
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) say(e, c, WORDS[i].kind, json_get(news, WORDS[i].member));
    for (const json *piece = calls ? calls->child : NULL; piece; piece = piece->next) take_call(e, c, piece);
    const json *reason = json_get(choice, "finish_reason");
    if (!json_has_text(reason)) return;
    stop_words(e, c);
    for (size_t i = 0; i < c->calls.len; i++) stop(e, c, c->calls.ptr[i].part);
    c->finished = true;
    PUSH(*e, EVENT(FINISH, finish, {c->index, wire_finish(reason, c->calls.len > 0)}));
}

static void take_chunk(decoder *d, events *e, const json *chunk) {
    if (!d->started) {
        d->started = true;
        T(chat_event_t) begun = EVENT(START, start, {.id = json_text(json_get(chunk, "id"))});
        begun.val.start.model = json_opt_text(json_get(chunk, "model"));
        begun.val.start.created_ms = wire_milliseconds(json_get(chunk, "created"));
        PUSH(*e, begun);
    }
    const json *choices = json_get(chunk, "choices"), *usage = json_get(chunk, "usage");
    for (const json *choice = choices ? choices->child : NULL; choice; choice = choice->next) take_choice(d, e, choice);
    if (json_is(usage, JSON_OBJECT)) PUSH(*e, EVENT(USAGE, usage, wire_usage(usage)));
}

static void fails(decoder *d, events *e, T(error_t) error) {
    d->failed = true;
    PUSH(*e, EVENT(FAILURE, failure, error));
}

static void take_frame(decoder *d, events *e, str data) {
    if (d->failed || d->done || !data.len) return;
    if (equals(data, "[DONE]")) {
        d->done = true;
        return;
    }
    json *chunk = json_read(data);
    if (!chunk) {
        T(error_t) error;
        fail(&error, TAG(ERROR_KIND_UPSTREAM), "a chunk of the provider's stream is no JSON");
        fails(d, e, error);
    } else if (wire_failed(chunk)) {
        fails(d, e, wire_error(json_get(chunk, "error"), 0));
    } else {
        take_chunk(d, e, chunk);
    }
    json_free(chunk);
}

// Decodes the frames of one read.
bool exports_weir_adapter_provider_chat_method_chat_decoder_push(decoder *d, CHAT(list_frame_t) * frames,
                                                                 T(decoded_t) * ret, T(error_t) * err) {
    (void)err;
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < frames->len; i++) take_frame(d, &ret->events, frames->ptr[i].data);
    CHAT(list_frame_free)(frames);
    return true;
}

// Called when the upstream has ended in an orderly way, which need not be the end of the answer.
bool exports_weir_adapter_provider_chat_method_chat_decoder_finish(decoder *d, T(decoded_t) * ret, T(error_t) * err) {
    (void)err;
    memset(ret, 0, sizeof *ret);
    bool complete = d->started;
    for (size_t i = 0; i < d->candidates.len; i++) complete = complete && d->candidates.ptr[i].finished;
    if (!d->failed && !complete) {
        T(error_t) error;
        fail(&error, TAG(ERROR_KIND_UPSTREAM), "the provider's stream ended before the answer was complete");
        fails(d, &ret->events, error);
    }
    return true;
}
