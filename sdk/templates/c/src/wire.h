// Shared code for the provider's JSON.
//
// Source: OpenAI's public API reference, chat completions and models.
#ifndef WIRE_H
#define WIRE_H

#include "json.h"

// Parses the member `error` of an answer; status is 0 if the answer's status was below 400.
T(error_t) wire_error(const json *error, uint16_t status);
// Whether an answer contains an error.
bool wire_failed(const json *answer);
// Parses a finish reason. Calls outrank a natural end: some servers send `stop` after them.
T(finish_t) wire_finish(const json *reason, bool called);
// Token counts in disjoint buckets: the provider includes the details in the totals.
T(usage_t) wire_usage(const json *usage);
// A time in seconds as milliseconds.
adapter_option_f64_t wire_milliseconds(const json *seconds);

#endif
