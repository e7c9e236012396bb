// Parses the provider's errors.
#include "wire.h"

// The wait that the provider asks for.
static adapter_option_u32_t retry_after(const T(list_header_t) * headers) {
    adapter_option_u32_t none = {0};
    for (size_t i = 0; i < headers->len; i++) {
        const T(header_t) *header = &headers->ptr[i];
        bool exact = equals(header->name, "retry-after-ms");
        if (!exact && !equals(header->name, "retry-after")) continue;
        // A number in JSON's syntax; dates are not supported.
        json number = {.kind = JSON_NUMBER, .raw = header->value};
        if (!header->value.len || header->value.ptr[0] < '0' || header->value.ptr[0] > '9') continue;
        adapter_option_f64_t wait = json_number(&number);
        double milliseconds = wait.val * (exact ? 1 : 1000);
        if (wait.is_some && milliseconds <= UINT32_MAX) return (adapter_option_u32_t)SOME((uint32_t)milliseconds);
    }
    return none;
}

// Parses an answer with a status of 400 or over; its body may be anything.
void exports_weir_adapter_provider_errors_parse_error(T(context_t) * ctx, T(http_response_t) * response, T(error_t) * ret) {
    // For an error page of a proxy, the status gives the error.
    json *answer = json_read(body_text(&response->body));
    *ret = wire_error(json_get(answer, "error"), response->status);
    ret->retry_after_ms = retry_after(&response->headers);
    json_free(answer);
    T(context_free)(ctx);
    T(http_response_free)(response);
}
