#include "common.h"

#include <stdio.h>

void *grow(void *old, size_t size) {
    void *at = realloc(old, size);
    if (!at) __builtin_trap();
    return at;
}

str text_of(const void *at, size_t length) {
    str s = {NULL, length};
    if (length) s.ptr = memcpy(grow(NULL, length), at, length);
    return s;
}

str text(const char *c) { return text_of(c, strlen(c)); }

str textf(const char *format, ...) {
    char room[128];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(room, sizeof room, format, values);
    va_end(values);
    if (length < 0) length = 0;
    return text_of(room, (size_t)length < sizeof room ? (size_t)length : sizeof room - 1);
}

bool equals(str s, const char *c) { return s.len == strlen(c) && memcmp(s.ptr, c, s.len) == 0; }

void lose(T(list_loss_t) * losses, T(loss_kind_t) kind, str field, const char *note) {
    PUSH(*losses, (T(loss_t)){field, kind, SOME(text(note))});
}

bool fail(T(error_t) * error, T(error_kind_t) kind, const char *message) {
    memset(error, 0, sizeof *error);
    error->kind = kind;
    error->message = text(message);
    return false;
}

str body_text(const T(body_t) * body) {
    if (body->tag == TAG(BODY_TEXT)) return body->val.text;
    return (str){body->val.bytes.ptr, body->val.bytes.len};
}
