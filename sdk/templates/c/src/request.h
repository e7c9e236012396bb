// A request under construction: its text, its losses, and the reason to refuse it.
#ifndef REQUEST_H
#define REQUEST_H

#include "json.h"

typedef struct {
    out body;
    T(list_loss_t) losses;
    // Dropping tools, their results, media or system text is an error, never a loss.
    bool refused;
    T(error_t) error;
} request;

#define LOSE(r, kind, note, ...) lose(&(r)->losses, TAG(LOSS_KIND_##kind), textf(__VA_ARGS__), note)

void refuse(request *r, const char *message, str field);
// Writes the members of this format that the unified model does not have; others are losses.
void put_extensions(request *r, const char *place, const T(list_extension_t) * extensions);
// Reports a cache hint as lost: the provider caches without being asked.
void lose_hint(request *r, const char *place, const T(option_cache_hint_t) * cache);
void put_messages(request *r, const T(list_message_t) * messages);

#endif
