// Renders the messages of a request.
#include <stdio.h>

#include "request.h"

typedef char place[64];

static str role(const T(role_t) * role) {
    switch (role->tag) {
    case TAG(ROLE_SYSTEM): case TAG(ROLE_DEVELOPER): return BORROWED("system");
    case TAG(ROLE_ASSISTANT): return BORROWED("assistant");
    case TAG(ROLE_TOOL): return BORROWED("tool");
    case TAG(ROLE_OTHER): return role->val.other;
    }
    return BORROWED("user");
}

// Reports extensions as lost, this format's too, at places where the format has no members.
static void lose_extensions(request *r, const char *at, const T(list_extension_t) * extensions) {
    for (size_t i = 0; i < extensions->len; i++) {
        const str *key = &extensions->ptr[i].key;
        LOSE(r, DROPPED, "there is no place for it", "%s%.*s", at, (int)key->len, (char *)key->ptr);
    }
}

static void lose_text(request *r, const char *at, const T(text_part_t) * part) {
    if (part->citations.len) LOSE(r, DROPPED, "there is no place for them", "%scitations", at);
    if (part->signature.is_some) LOSE(r, DROPPED, "it returns to its issuer only", "%ssignature", at);
    lose_hint(r, at, &part->cache);
    lose_extensions(r, at, &part->extensions);
}

static void put_media(request *r, const char *at, const T(media_part_t) * media) {
    out *o = &r->body;
    uint8_t source = media->source.tag;
    if (media->kind != TAG(MEDIA_KIND_IMAGE) || source > TAG(MEDIA_SOURCE_BASE64)) {
        refuse(r, "only images, by address or in base64, are taken here", text_of(at, strlen(at) - 1));
        return;
    }
    put_open(o, '{');
    put_key(o, "type");
    put_c(o, "image_url");
    put_key(o, "image_url");
    put_open(o, '{');
    put_key(o, "url");
    if (source == TAG(MEDIA_SOURCE_URL)) {
        put_str(o, media->source.val.url);
    } else {
        // Base64 and media types have no characters that JSON would escape; any other text is written escaped.
        out url = {0};
        str mime = media->mime.is_some ? media->mime.val : BORROWED("image/png");
        put_raw(&url, "data:", 5);
        put_raw(&url, mime.ptr, mime.len);
        put_raw(&url, ";base64,", 8);
        put_raw(&url, media->source.val.base64.ptr, media->source.val.base64.len);
        put_str(o, (str){(uint8_t *)url.ptr, url.len});
        free(url.ptr);
    }
    put_opt_str(o, "detail", media->detail);
    put_close(o, '}');
    put_close(o, '}');
    lose_hint(r, at, &media->cache);
    lose_extensions(r, at, &media->extensions);
}

static void put_call(request *r, const char *at, const T(tool_call_t) * call) {
    out *o = &r->body;
    if (call->kind != TAG(TOOL_KIND_FUNCTION))
        refuse(r, "only functions are taken as tools here", text_of(at, strlen(at) - 1));
    if (call->signature.is_some) LOSE(r, DROPPED, "it returns to its issuer only", "%ssignature", at);
    lose_hint(r, at, &call->cache);
    put_open(o, '{');
    put_key(o, "id");
    put_str(o, call->id);
    put_key(o, "type");
    put_c(o, "function");
    put_key(o, "function");
    put_open(o, '{');
    put_key(o, "name");
    put_str(o, call->name);
    put_key(o, "arguments");
    put_str(o, call->arguments.len ? call->arguments : BORROWED("{}"));
    put_close(o, '}');
    put_extensions(r, at, &call->extensions);
    put_close(o, '}');
}

// A tool result is a separate message.
static void put_result(request *r, const char *at, const T(tool_result_t) * result) {
    out *o = &r->body, words = {0};
    for (size_t i = 0; i < result->content.len; i++) {
        const T(result_part_t) *part = &result->content.ptr[i];
        str piece = {NULL, 0};
        if (part->tag == TAG(RESULT_PART_TEXT)) {
            piece = part->val.text.text;
            lose_text(r, at, &part->val.text);
        } else if (part->tag == TAG(RESULT_PART_JSON)) {
            piece = part->val.json;
        } else {
            refuse(r, "the results of tools are text here", text_of(at, strlen(at) - 1));
        }
        if (i) put_raw(&words, "\n", 1);
        put_raw(&words, piece.ptr, piece.len);
    }
    if (result->is_error.is_some && result->is_error.val) LOSE(r, DROPPED, "there is no place for it", "%sis_error", at);
    lose_hint(r, at, &result->cache);
    put_open(o, '{');
    put_key(o, "role");
    put_c(o, "tool");
    put_key(o, "tool_call_id");
    put_str(o, result->call_id);
    put_key(o, "content");
    put_str(o, (str){(uint8_t *)words.ptr, words.len});
    put_opt_str(o, "name", result->name);
    put_extensions(r, at, &result->extensions);
    put_close(o, '}');
    free(words.ptr);
}

// The number of a message's parts of each sort.
typedef struct {
    size_t texts, media, calls, results, refusals;
} counts;

static counts count(const T(message_t) * message) {
    counts n = {0};
    for (size_t i = 0; i < message->parts.len; i++) {
        switch (message->parts.ptr[i].tag) {
        case TAG(PART_TEXT): n.texts++; break;
        case TAG(PART_MEDIA): n.media++; break;
        case TAG(PART_TOOL_CALL): n.calls++; break;
        case TAG(PART_TOOL_RESULT): n.results++; break;
        case TAG(PART_REFUSAL): n.refusals++; break;
        }
    }
    return n;
}

static void name_place(place at, size_t message, size_t part) {
    snprintf(at, sizeof(place), "messages[%zu].content[%zu].", message, part);
}

// Writes a message's text and media: a single text as a string, anything more as a list.
static void put_content(request *r, size_t at, const T(message_t) * message, counts n) {
    out *o = &r->body;
    bool listed = n.media || n.texts > 1;
    put_key(o, "content");
    if (!n.texts && !n.media) {
        if (n.calls || n.refusals) put_null(o);
        else put_c(o, "");
        return;
    }
    if (listed) put_open(o, '[');
    for (size_t i = 0; i < message->parts.len; i++) {
        const T(part_t) *part = &message->parts.ptr[i];
        place here;
        name_place(here, at, i);
        if (part->tag == TAG(PART_MEDIA)) put_media(r, here, &part->val.media);
        if (part->tag != TAG(PART_TEXT)) continue;
        lose_text(r, here, &part->val.text);
        if (listed) {
            put_open(o, '{');
            put_key(o, "type");
            put_c(o, "text");
            put_key(o, "text");
        }
        put_str(o, part->val.text.text);
        if (listed) put_close(o, '}');
    }
    if (listed) put_close(o, ']');
}

static void put_calls(request *r, size_t at, const T(message_t) * message) {
    out *o = &r->body;
    put_key(o, "tool_calls");
    put_open(o, '[');
    for (size_t i = 0; i < message->parts.len; i++) {
        place here;
        name_place(here, at, i);
        if (message->parts.ptr[i].tag == TAG(PART_TOOL_CALL)) put_call(r, here, &message->parts.ptr[i].val.tool_call);
    }
    put_close(o, ']');
}

static void put_message(request *r, size_t at, const T(message_t) * message) {
    out *o = &r->body;
    counts n = count(message);
    for (size_t i = 0; i < message->parts.len; i++) {
        const T(part_t) *part = &message->parts.ptr[i];
        place here;
        name_place(here, at, i);
        // Tool results come before the rest of the turn.
        if (part->tag == TAG(PART_TOOL_RESULT)) put_result(r, here, &part->val.tool_result);
        if (part->tag == TAG(PART_REASONING)) LOSE(r, DROPPED, "thinking has no place in this history", "%sreasoning", here);
        if (part->tag == TAG(PART_OPAQUE)) LOSE(r, DROPPED, "it belongs to another format", "%sopaque", here);
    }
    if (n.results && !n.texts && !n.media && !n.calls) return;
    put_open(o, '{');
    put_key(o, "role");
    put_str(o, role(&message->role));
    put_content(r, at, message, n);
    for (size_t i = 0; i < message->parts.len; i++)
        if (message->parts.ptr[i].tag == TAG(PART_REFUSAL))
            put_opt_str(o, "refusal", (opt_str)SOME(message->parts.ptr[i].val.refusal));
    if (n.calls) put_calls(r, at, message);
    put_opt_str(o, "name", message->name);
    place here;
    snprintf(here, sizeof here, "messages[%zu].", at);
    put_extensions(r, here, &message->extensions);
    put_close(o, '}');
}

void put_messages(request *r, const T(list_message_t) * messages) {
    put_key(&r->body, "messages");
    put_open(&r->body, '[');
    for (size_t i = 0; i < messages->len; i++) put_message(r, i, &messages->ptr[i]);
    put_close(&r->body, ']');
}
