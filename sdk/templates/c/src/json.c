#include "json.h"

#include <stdio.h>

// ---- Reading -------------------------------------------------------------------------------------------------------

// Deepest nesting: the stack is small.
#define DEEPEST 100

typedef struct {
    const uint8_t *at, *end;
    json *next;
} reader;

static void space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static bool take(reader *r, char c) {
    if (r->at == r->end || *r->at != (uint8_t)c) return false;
    r->at++;
    return true;
}

static bool word(reader *r, const char *c) {
    size_t length = strlen(c);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, c, length) != 0) return false;
    r->at += length;
    return true;
}

static int hex(const uint8_t *at) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i], low = c | 0x20;
        if (c >= '0' && c <= '9') value = value * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f') value = value * 16 + (low - 'a' + 10);
        else return -1;
    }
    return value;
}

// Reads a string after its opening quote; `raw` gets the text between the quotes.
static bool string(reader *r, str *raw) {
    const uint8_t *start = r->at;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at < 0x20) return false;
        if (*r->at++ != '\\') continue;
        if (r->at == r->end) return false;
        uint8_t c = *r->at++;
        if (c == 'u') {
            if (r->end - r->at < 4 || hex(r->at) < 0) return false;
            r->at += 4;
        } else if (!strchr("\"\\/bfnrt", c) || !c) {
            return false;
        }
    }
    *raw = (str){(uint8_t *)start, (size_t)(r->at - start)};
    return take(r, '"');
}

static bool digits(reader *r) {
    const uint8_t *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > start;
}

static bool number(reader *r) {
    take(r, '-');
    if (!take(r, '0') && !digits(r)) return false;
    if (take(r, '.') && !digits(r)) return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) take(r, '-');
        return digits(r);
    }
    return true;
}

static json *value(reader *r, int depth);

// Reads the members of an object or the elements of an array, after the opening bracket.
static bool members(reader *r, json *parent, int depth) {
    bool named = parent->kind == JSON_OBJECT;
    char end = named ? '}' : ']';
    json **place = &parent->child;
    space(r);
    if (take(r, end)) return true;
    do {
        str key = {NULL, 0};
        space(r);
        if (named) {
            if (!take(r, '"') || !string(r, &key)) return false;
            space(r);
            if (!take(r, ':')) return false;
        }
        json *member = value(r, depth + 1);
        if (!member) return false;
        member->key = key;
        *place = member;
        place = &member->next;
        space(r);
    } while (take(r, ','));
    return take(r, end);
}

static json *value(reader *r, int depth) {
    space(r);
    if (r->at == r->end || depth > DEEPEST) return NULL;
    json *v = r->next++;
    const uint8_t *start = r->at;
    bool good;
    switch (*r->at) {
    case '{': case '[':
        v->kind = *r->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
        good = members(r, v, depth);
        break;
    case '"':
        v->kind = JSON_STRING;
        r->at++;
        return string(r, &v->raw) ? v : NULL;
    case 'n': v->kind = JSON_NULL; good = word(r, "null"); break;
    case 't': v->kind = JSON_BOOL; good = word(r, "true"); break;
    case 'f': v->kind = JSON_BOOL; good = word(r, "false"); break;
    default: v->kind = JSON_NUMBER; good = number(r);
    }
    v->raw = (str){(uint8_t *)start, (size_t)(r->at - start)};
    return good ? v : NULL;
}

json *json_read(str text) {
    // Each value but the first comes after one of these characters, so there are at most that many values.
    size_t most = 1;
    for (size_t i = 0; i < text.len; i++) most += text.ptr[i] == ',' || text.ptr[i] == '[' || text.ptr[i] == '{';
    json *room = memset(grow(NULL, most * sizeof(json)), 0, most * sizeof(json));
    reader r = {text.ptr, text.ptr + text.len, room};
    bool good = value(&r, 0) != NULL;
    space(&r);
    if (good && r.at == r.end) return room;
    free(room);
    return NULL;
}

// All values are in one allocation, which begins with the root.
void json_free(json *root) { free(root); }

// ---- Looking at values ---------------------------------------------------------------------------------------------

static uint8_t *utf8(uint8_t *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (uint8_t)c;
    } else if (c < 0x800) {
        *to++ = (uint8_t)(0xc0 | c >> 6);
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (uint8_t)(0xe0 | c >> 12);
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | c >> 18);
        *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return to;
}

// Decodes an escaped code unit, with the second one of a pair; half a pair becomes U+FFFD.
static uint32_t unescape(const uint8_t **at, const uint8_t *end) {
    uint32_t c = (uint32_t)hex(*at);
    *at += 4;
    if (c < 0xd800 || c > 0xdfff) return c;
    if (c > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return 0xfffd;
    uint32_t low = (uint32_t)hex(*at + 2);
    if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
    *at += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

// The text of a string, which is never longer than its escaped form.
static str decoded(str raw) {
    if (!raw.len || !memchr(raw.ptr, '\\', raw.len)) return text_of(raw.ptr, raw.len);
    uint8_t *room = grow(NULL, raw.len), *to = room;
    for (const uint8_t *at = raw.ptr, *end = raw.ptr + raw.len; at < end;) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        uint8_t c = at[1];
        at += 2;
        switch (c) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': to = utf8(to, unescape(&at, end)); break;
        default: *to++ = c;
        }
    }
    return (str){room, (size_t)(to - room)};
}

static bool says(str raw, const char *c) {
    if (!memchr(raw.ptr, '\\', raw.len)) return equals(raw, c);
    str said = decoded(raw);
    bool same = equals(said, c);
    free(said.ptr);
    return same;
}

const json *json_get(const json *object, const char *name) {
    if (!json_is(object, JSON_OBJECT)) return NULL;
    const json *found = NULL;
    // Of members with the same name, the last one counts.
    for (const json *m = object->child; m; m = m->next)
        if (m->key.len && says(m->key, name)) found = m;
    return found;
}

bool json_is(const json *value, json_kind kind) { return value && value->kind == kind; }

bool json_has_text(const json *value) { return json_is(value, JSON_STRING) && value->raw.len; }

str json_text(const json *value) { return json_has_text(value) ? decoded(value->raw) : (str){NULL, 0}; }

opt_str json_opt_text(const json *value) {
    opt_str none = {0};
    return json_is(value, JSON_STRING) ? (opt_str){true, json_text(value)} : none;
}

bool json_equals(const json *value, const char *c) { return json_has_text(value) && says(value->raw, c); }

adapter_option_f64_t json_number(const json *value) {
    char room[64];
    adapter_option_f64_t none = {0};
    if (!json_is(value, JSON_NUMBER) || value->raw.len >= sizeof room) return none;
    memcpy(room, value->raw.ptr, value->raw.len);
    room[value->raw.len] = 0;
    return (adapter_option_f64_t){true, strtod(room, NULL)};
}

adapter_option_u32_t json_count(const json *value) {
    adapter_option_f64_t n = json_number(value);
    adapter_option_u32_t none = {0};
    if (!n.is_some || n.val < 0 || n.val > UINT32_MAX) return none;
    return (adapter_option_u32_t){true, (uint32_t)n.val};
}

// ---- Writing -------------------------------------------------------------------------------------------------------

void put_raw(out *o, const void *at, size_t length) {
    if (o->len + length > o->cap) {
        o->cap = 2 * (o->len + length) + 256;
        o->ptr = grow(o->ptr, o->cap);
    }
    if (length) memcpy(o->ptr + o->len, at, length);
    o->len += length;
}

static void comma(out *o) {
    if (o->len && !strchr("{[:", o->ptr[o->len - 1])) put_raw(o, ",", 1);
}

static void quoted(out *o, const uint8_t *at, size_t length) {
    static const char digits[] = "0123456789abcdef";
    put_raw(o, "\"", 1);
    size_t done = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = at[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put_raw(o, at + done, i - done);
        done = i + 1;
        if (c >= 0x20) {
            put_raw(o, (char[]){'\\', (char)c}, 2);
        } else {
            put_raw(o, (char[]){'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, 6);
        }
    }
    put_raw(o, at + done, length - done);
    put_raw(o, "\"", 1);
}

void put_open(out *o, char bracket) {
    comma(o);
    put_raw(o, &bracket, 1);
}

void put_close(out *o, char bracket) { put_raw(o, &bracket, 1); }

void put_key(out *o, const char *name) {
    put_c(o, name);
    put_raw(o, ":", 1);
}

void put_str(out *o, str value) {
    comma(o);
    quoted(o, value.ptr, value.len);
}

void put_c(out *o, const char *value) { put_str(o, (str){(uint8_t *)value, strlen(value)}); }

void put_json(out *o, str json) {
    comma(o);
    put_raw(o, json.ptr, json.len);
}

void put_number(out *o, double value) {
    char room[32];
    // The shortest form that parses to the same number. JSON has no infinity.
    int length = 0;
    if (value - value != 0) value = 0;
    for (int precision = 15; precision <= 17; precision++) {
        length = snprintf(room, sizeof room, "%.*g", precision, value);
        if (strtod(room, NULL) == value) break;
    }
    put_json(o, (str){(uint8_t *)room, (size_t)length});
}

void put_bool(out *o, bool value) { put_json(o, value ? BORROWED("true") : BORROWED("false")); }

void put_null(out *o) { put_json(o, BORROWED("null")); }

void put_opt_str(out *o, const char *name, opt_str value) {
    if (!value.is_some) return;
    put_key(o, name);
    put_str(o, value.val);
}

void put_opt_number(out *o, const char *name, adapter_option_f64_t value) {
    if (!value.is_some) return;
    put_key(o, name);
    put_number(o, value.val);
}

void put_opt_count(out *o, const char *name, adapter_option_u32_t value) {
    put_opt_number(o, name, (adapter_option_f64_t){value.is_some, value.val});
}

void put_opt_bool(out *o, const char *name, adapter_option_bool_t value) {
    if (!value.is_some) return;
    put_key(o, name);
    put_bool(o, value.val);
}
