// The list of the provider's models.
#include "wire.h"

// Whether a character is allowed unescaped in a path.
static bool plain(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~:@", c));
}

bool exports_weir_adapter_provider_models_render_request(T(context_t) * ctx, T(models_request_t) * request,
                                                         T(rendered_request_t) * ret, T(error_t) * err) {
    (void)err;
    out path = {0};
    put_raw(&path, "models", 6);
    if (request->id.is_some) put_raw(&path, "/", 1);
    for (size_t i = 0; request->id.is_some && i < request->id.val.len; i++) {
        static const char digits[] = "0123456789ABCDEF";
        uint8_t c = request->id.val.ptr[i];
        if (plain(c)) put_raw(&path, &c, 1);
        else put_raw(&path, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    memset(ret, 0, sizeof *ret);
    ret->request.method = text("GET");
    ret->request.path = (str){(uint8_t *)path.ptr, path.len};
    T(context_free)(ctx);
    T(models_request_free)(request);
    return true;
}

static void add(T(list_model_info_t) * models, const json *model) {
    if (!json_has_text(json_get(model, "id"))) return;
    T(model_info_t) info = {
        .id = json_text(json_get(model, "id")),
        .created_ms = wire_milliseconds(json_get(model, "created")),
        .owner = json_opt_text(json_get(model, "owned_by")),
    };
    PUSH(*models, info);
}

bool exports_weir_adapter_provider_models_parse_response(T(context_t) * ctx, T(http_response_t) * response,
                                                         T(models_response_t) * ret, T(error_t) * err) {
    memset(ret, 0, sizeof *ret);
    json *answer = json_read(body_text(&response->body));
    bool good = answer != NULL || fail(err, TAG(ERROR_KIND_UPSTREAM), "the provider's list of models is no JSON");
    const json *list = json_get(answer, "data");
    for (const json *model = list ? list->child : NULL; model; model = model->next) add(&ret->models, model);
    if (!list) add(&ret->models, answer);
    json_free(answer);
    T(context_free)(ctx);
    T(http_response_free)(response);
    return good;
}
