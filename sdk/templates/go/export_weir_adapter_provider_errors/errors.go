// Package export_weir_adapter_provider_errors reads the provider's errors.
package export_weir_adapter_provider_errors

import (
	"encoding/json"

	t "wit_component/weir_adapter_types"
	"wit_component/wire"
)

// ParseError reads an answer with a status of 400 or over; its body may be anything.
func ParseError(ctx t.Context, response t.HttpResponse) t.Error {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	// An error page of a proxy has no such member; the status gives the error then.
	_ = json.Unmarshal([]byte(wire.Text(response.Body)), &answer)
	failure := wire.Error(answer.Error, response.Status)
	failure.RetryAfterMs = wire.RetryAfter(response.Headers)
	return failure
}
