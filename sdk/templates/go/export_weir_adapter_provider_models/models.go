// Package export_weir_adapter_provider_models lists the provider's models.
package export_weir_adapter_provider_models

import (
	"encoding/json"
	"net/url"

	w "go.bytecodealliance.org/pkg/wit/types"
	t "wit_component/weir_adapter_types"
	"wit_component/wire"
)

// RenderRequest asks for the list, or for one model.
func RenderRequest(ctx t.Context, request t.ModelsRequest) w.Result[t.RenderedRequest, t.Error] {
	path := "models"
	if id, one := request.Id.Get(); one {
		path += "/" + url.PathEscape(id)
	}
	http := t.HttpRequest{Method: "GET", Path: path, Body: t.MakeBodyText("")}
	return w.Ok[t.RenderedRequest, t.Error](t.RenderedRequest{Request: http})
}

type model struct {
	ID      string   `json:"id"`
	Created *float64 `json:"created"`
	Owner   *string  `json:"owned_by"`
}

// ParseResponse reads the list, or the one model.
func ParseResponse(ctx t.Context, response t.HttpResponse) w.Result[t.ModelsResponse, t.Error] {
	var list struct {
		Data []model `json:"data"`
		model
	}
	if err := json.Unmarshal([]byte(wire.Text(response.Body)), &list); err != nil {
		return w.Err[t.ModelsResponse](wire.Unreadable(err))
	}
	if list.Data == nil && list.ID != "" {
		list.Data = []model{list.model}
	}
	var models []t.ModelInfo
	for _, model := range list.Data {
		models = append(models, t.ModelInfo{
			Id: model.ID, CreatedMs: wire.Milliseconds(model.Created), Owner: wire.Optional(model.Owner),
		})
	}
	return w.Ok[t.ModelsResponse, t.Error](t.ModelsResponse{Models: models})
}
