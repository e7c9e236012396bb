// JSON: a tree that points into the text it was read from, and a writer that adds the commas.
#ifndef JSON_H
#define JSON_H

#include "common.h"

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json {
    json_kind kind;
    // The value as it is written; of a string the text between the quotes, with its escapes.
    str raw;
    // The member's name in the same form; empty outside of objects.
    str key;
    struct json *child, *next;
} json;

// Reads a whole text; NULL if it is not JSON. Free the result with json_free; it points into the text.
json *json_read(str text);
void json_free(json *root);

// All of these accept NULL for an absent value.
const json *json_get(const json *object, const char *name);
bool json_is(const json *value, json_kind kind);
// A copy of a string's text; an empty text if the value is not a string.
str json_text(const json *value);
opt_str json_opt_text(const json *value);
// Whether the value is a string that is not empty.
bool json_has_text(const json *value);
bool json_equals(const json *value, const char *text);
adapter_option_f64_t json_number(const json *value);
adapter_option_u32_t json_count(const json *value);

// A text under construction. A comma is written before a value or a name that is not the first.
typedef struct {
    char *ptr;
    size_t len, cap;
} out;

void put_raw(out *o, const void *at, size_t length);
void put_open(out *o, char bracket);
void put_close(out *o, char bracket);
void put_key(out *o, const char *name);
void put_str(out *o, str value);
void put_c(out *o, const char *value);
void put_number(out *o, double value);
void put_bool(out *o, bool value);
void put_null(out *o);
// JSON text, written unchanged.
void put_json(out *o, str json);

// Members that are left out if they have no value.
void put_opt_str(out *o, const char *name, opt_str value);
void put_opt_number(out *o, const char *name, adapter_option_f64_t value);
void put_opt_count(out *o, const char *name, adapter_option_u32_t value);
void put_opt_bool(out *o, const char *name, adapter_option_bool_t value);

#endif
