// Shorthands for the bindings: strings, lists, options, errors, losses.
#ifndef COMMON_H
#define COMMON_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

// Names of the contract's interfaces: T(context_t) is weir_adapter_types_context_t.
#define T(name) weir_adapter_types_##name
#define TAG(name) WEIR_ADAPTER_TYPES_##name
#define ABOUT(name) exports_weir_adapter_about_##name
#define ABOUT_TAG(name) EXPORTS_WEIR_ADAPTER_ABOUT_##name
#define CHAT(name) exports_weir_adapter_provider_chat_##name
#define MODELS(name) exports_weir_adapter_provider_models_##name

// The contract's version that the bindings are made for. The world in `wit/world.wit` names it too.
#define CONTRACT "0.2.0"

// The format's id in Weir, and the one of lists of models.
#define FORMAT "openai.chat"
#define MODELS_FORMAT "openai.models"

// Not terminated by a zero. In results, `ptr` comes from malloc.
typedef adapter_string_t str;
typedef adapter_option_string_t opt_str;

// Allocates memory or traps: an adapter without memory cannot continue.
void *grow(void *old, size_t size);

// Copies, for results.
str text(const char *c);
str text_of(const void *at, size_t length);
// A formatted name of a place: "messages[2].name".
str textf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define SOME(value) {true, value}
#define BORROWED(c) ((str){(uint8_t *)(c), sizeof(c) - 1})
bool equals(str s, const char *c);

// Every list is a separate type { T *ptr; size_t len; }, so a macro takes the place of a template. It grows when its
// length is a power of two, so no capacity needs to be stored.
#define PUSH(list, ...)                                                                           \
    do {                                                                                          \
        size_t n = (list).len;                                                                    \
        if ((n & (n - 1)) == 0) (list).ptr = grow((list).ptr, (n ? 2 * n : 1) * sizeof *(list).ptr); \
        (list).ptr[(list).len++] = __VA_ARGS__;                                                   \
    } while (0)

// Adds a loss. Takes over the field's name.
void lose(T(list_loss_t) * losses, T(loss_kind_t) kind, str field, const char *note);

// Makes an error and returns false, like every failing function.
bool fail(T(error_t) * error, T(error_kind_t) kind, const char *message);

// A body of either kind as text.
str body_text(const T(body_t) * body);

#endif
