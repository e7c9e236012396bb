// What is read from the provider's JSON in more than one place.
//
// Source: OpenAI's public API reference, chat completions and models.
#ifndef WIRE_H
#define WIRE_H

#include "json.h"

// Reads the member `error` of an answer; status is 0 where the answer had a good one.
T(error_t) wire_error(const json *error, uint16_t status);
// Whether an answer says that it is an error.
bool wire_failed(const json *answer);
// Calls outrank a natural end: some servers say `stop` behind them.
T(finish_t) wire_finish(const json *reason, bool called);
// Tokens in disjoint buckets: the provider counts the details in the totals.
T(usage_t) wire_usage(const json *usage);
// A time in seconds as milliseconds.
adapter_option_f64_t wire_milliseconds(const json *seconds);

#endif
