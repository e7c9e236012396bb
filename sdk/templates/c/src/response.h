// Parts of whole answers and of streams.
#ifndef RESPONSE_H
#define RESPONSE_H

#include "wire.h"

// A message's text members in the order of their events, and the kind of part that each becomes.
static const struct {
    const char *member;
    uint8_t part, kind;
} WORDS[] = {
    {"reasoning_content", TAG(PART_REASONING), TAG(PART_KIND_REASONING)},
    {"content", TAG(PART_TEXT), TAG(PART_KIND_TEXT)},
    {"refusal", TAG(PART_REFUSAL), TAG(PART_KIND_REFUSAL)},
};

#endif
