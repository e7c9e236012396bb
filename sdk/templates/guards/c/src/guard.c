// acme: a guard that refuses chat requests with a certain word, which the option `word` sets.
//
// `wit/deps/hook/hook.wit` has everything that a guard can do: refuse, change and annotate requests, judge answers, and take
// note of the end of exchanges.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

// Names of the contract's interfaces: GUARD(facts_t) is exports_weir_hook_guard_facts_t.
#define ABOUT(name) exports_weir_hook_about_##name
#define ABOUT_TAG(name) EXPORTS_WEIR_HOOK_ABOUT_##name
#define GUARD(name) exports_weir_hook_guard_##name
#define GUARD_TAG(name) EXPORTS_WEIR_HOOK_GUARD_##name

// Not terminated by a zero.
typedef adapter_string_t str;

// Allocates memory or traps: a guard without memory cannot continue.
static void *take(size_t size) {
    void *at = malloc(size);
    if (!at) abort();
    return at;
}

// A copy, for results, which the bindings free.
static str text(const char *c) {
    str s = {take(strlen(c) + 1), strlen(c)};
    memcpy(s.ptr, c, s.len);
    return s;
}

static bool contains(str s, str word) {
    for (size_t at = 0; word.len && at + word.len <= s.len; at++) {
        if (!memcmp(s.ptr + at, word.ptr, word.len)) return true;
    }
    return false;
}

// Returns the manifest, which never changes.
void exports_weir_hook_about_describe(ABOUT(manifest_t) * m) {
    memset(m, 0, sizeof *m);
    m->name = text("acme");
    m->version = text("0.1.0");
    m->contract = text("0.1.0");
    m->description = text("acme: refuses chat requests with a certain word");
    m->settings = text(
        "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"word\":{\"type\":\"string\"}}}");
    // EVENT here too, and access to the answer below, if answers are to be judged.
    m->phases.ptr = take(sizeof *m->phases.ptr);
    m->phases.len = 1;
    m->phases.ptr[0] = ABOUT_TAG(PHASE_REQUEST);
    m->grants.prompt = ABOUT_TAG(ACCESS_READ);
    m->deterministic = true;
}

// The option, which is JSON: a text between quotes. Escapes in it are not read here.
static str word_of(const GUARD(facts_t) * facts) {
    for (size_t i = 0; i < facts->options.len; i++) {
        str key = facts->options.ptr[i].key, json = facts->options.ptr[i].json;
        if (key.len == 4 && !memcmp(key.ptr, "word", 4) && json.len >= 2 && json.ptr[0] == '"') {
            return (str){json.ptr + 1, json.len - 2};
        }
    }
    return (str){0};
}

// The number of texts of a chat in which the word stands.
static unsigned count(const GUARD(chat_request_t) * chat, str word) {
    unsigned found = 0;
    for (size_t i = 0; i < chat->messages.len; i++) {
        for (size_t j = 0; j < chat->messages.ptr[i].parts.len; j++) {
            const weir_adapter_types_part_t *part = &chat->messages.ptr[i].parts.ptr[j];
            found += part->tag == WEIR_ADAPTER_TYPES_PART_TEXT && contains(part->val.text.text, word);
        }
    }
    return found;
}

// Judges a request before it is sent.
void exports_weir_hook_guard_on_request(GUARD(facts_t) * facts, GUARD(asked_t) * asked, GUARD(request_answer_t) * ret) {
    memset(ret, 0, sizeof *ret);
    ret->verdict.tag = GUARD_TAG(REQUEST_VERDICT_ALLOW);
    unsigned found = asked->tag == GUARD_TAG(ASKED_CHAT) ? count(&asked->val.chat, word_of(facts)) : 0;
    if (found) {
        char number[16];
        snprintf(number, sizeof number, "%u", found);
        ret->verdict.tag = GUARD_TAG(REQUEST_VERDICT_DENY);
        ret->verdict.val.deny.message = text("this request has a word that is not allowed here");
        // What was found is never told, only that it was.
        ret->annotations.ptr = take(sizeof *ret->annotations.ptr);
        ret->annotations.len = 1;
        ret->annotations.ptr[0] = (GUARD(annotation_t)){text("word"), text(number)};
    }
    GUARD(facts_free)(facts);
    GUARD(asked_free)(asked);
}

// Takes note of the end of an exchange, if the manifest names the phase END.
void exports_weir_hook_guard_on_end(GUARD(facts_t) * facts, GUARD(outcome_t) * outcome, GUARD(list_annotation_t) * ret) {
    memset(ret, 0, sizeof *ret);
    GUARD(facts_free)(facts);
    GUARD(outcome_free)(outcome);
}

// The judgement of an answer. This guard lets all of them pass.
struct exports_weir_hook_guard_answer_t {
    char nothing;
};

GUARD(own_answer_t) exports_weir_hook_guard_constructor_answer(GUARD(facts_t) * facts) {
    GUARD(facts_free)(facts);
    return GUARD(answer_new)(calloc(1, sizeof(GUARD(answer_t))));
}

void exports_weir_hook_guard_answer_destructor(GUARD(answer_t) * rep) { free(rep); }

// Judges the events of one read.
void exports_weir_hook_guard_method_answer_push(
    GUARD(borrow_answer_t) self, GUARD(list_chat_event_t) * events, GUARD(event_answer_t) * ret) {
    (void)self;
    memset(ret, 0, sizeof *ret);
    ret->verdict.tag = GUARD_TAG(EVENT_VERDICT_ALLOW);
    GUARD(list_chat_event_free)(events);
}

// All events have been pushed.
void exports_weir_hook_guard_method_answer_finish(GUARD(borrow_answer_t) self, GUARD(event_answer_t) * ret) {
    (void)self;
    memset(ret, 0, sizeof *ret);
    ret->verdict.tag = GUARD_TAG(EVENT_VERDICT_ALLOW);
}
