// Package export_weir_adapter_provider_chat is the provider's side of chat: requests in its format, and its answers.
package export_weir_adapter_provider_chat

import (
	"encoding/json"
	"fmt"
	"slices"

	w "go.bytecodealliance.org/pkg/wit/types"
	t "wit_component/weir_adapter_types"
	"wit_component/wire"
)

// RenderRequest renders a request for the provider. Values that the provider has no place for are losses; values
// that must not get lost (tools, their results, media, system text) are an error instead.
func RenderRequest(ctx t.Context, request t.ChatRequest) (result w.Result[t.RenderedRequest, t.Error]) {
	defer wire.Recover(&result)
	r := &renderer{}
	body := r.body(ctx, request)
	if r.refused != nil {
		return w.Err[t.RenderedRequest](*r.refused)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return w.Err[t.RenderedRequest](wire.Fail(t.ErrorKind_InvalidRequest, "the request holds what is no JSON: %v", err))
	}
	http := t.HttpRequest{Method: "POST", Path: "chat/completions", Body: t.MakeBodyText(string(text))}
	return w.Ok[t.RenderedRequest, t.Error](t.RenderedRequest{Request: http, Losses: r.losses})
}

// object is a JSON object under construction.
type object = map[string]any

// raw is JSON text that is inserted unchanged.
func raw(text string) json.RawMessage { return json.RawMessage(text) }

// put sets a member if there is a value.
func put[T any](o object, key string, value w.Option[T]) {
	if value, some := value.Get(); some {
		o[key] = value
	}
}

type renderer struct {
	losses  []t.Loss
	refused *t.Error
}

func (r *renderer) lose(kind t.LossKind, field, note string) {
	r.losses = append(r.losses, t.Loss{Field: field, Kind: kind, Note: w.Some(note)})
}

func (r *renderer) refuse(field, message string) {
	if r.refused == nil {
		refused := wire.Fail(t.ErrorKind_Unsupported, "%s", message)
		refused.Param = w.Some(field)
		r.refused = &refused
	}
}

// extensions sets the members of this format that the unified model does not have.
func (r *renderer) extensions(o object, place string, extensions []t.Extension) {
	for _, extension := range extensions {
		if extension.Format != wire.Format {
			r.lose(t.LossKind_Dropped, place+extension.Key, "it belongs to another format")
		} else if _, there := o[extension.Key]; !there && extension.Json != "null" && extension.Key != "stream_options" {
			o[extension.Key] = raw(extension.Json)
		}
	}
}

// hint reports a cache hint as lost: the provider caches without being asked.
func (r *renderer) hint(place string, cache w.Option[t.CacheHint]) {
	if _, some := cache.Get(); some {
		r.lose(t.LossKind_Dropped, place+"cache_control", "caching is the provider's own decision")
	}
}

func (r *renderer) body(ctx t.Context, request t.ChatRequest) object {
	model := ctx.Model
	if model == "" {
		model = request.Model
	}
	o := object{"model": model, "messages": r.messages(request.Messages)}
	r.tools(o, request)
	r.output(o, request.Output)
	r.sampling(o, request.Sampling)
	r.reasoning(o, request.Reasoning)
	put(o, "max_tokens", request.MaxOutputTokens)
	put(o, "user", request.EndUser)
	put(o, "service_tier", request.ServiceTier)
	put(o, "prompt_cache_key", request.CacheKey)
	if labels, some := request.Metadata.Get(); some {
		o["metadata"] = raw(labels)
	}
	if request.Stream {
		// Asks for usage in every stream: Weir meters it, and removes it if the client did not ask.
		o["stream"], o["stream_options"] = true, object{"include_usage": true}
	}
	r.extensions(o, "", request.Extensions)
	return o
}

func (r *renderer) sampling(o object, s t.Sampling) {
	put(o, "temperature", s.Temperature)
	put(o, "top_p", s.TopP)
	put(o, "frequency_penalty", s.FrequencyPenalty)
	put(o, "presence_penalty", s.PresencePenalty)
	put(o, "n", s.Candidates)
	put(o, "logprobs", s.Logprobs)
	put(o, "top_logprobs", s.TopLogprobs)
	if seed, some := s.Seed.Get(); some {
		o["seed"] = raw(seed)
	}
	if len(s.Stop) > 0 {
		o["stop"] = s.Stop
	}
	if _, some := s.TopK.Get(); some {
		r.lose(t.LossKind_Dropped, "top_k", "the provider does not know it")
	}
}

func (r *renderer) reasoning(o object, reasoning w.Option[t.ReasoningRequest]) {
	wanted, some := reasoning.Get()
	if !some {
		return
	}
	put(o, "reasoning_effort", wanted.Effort)
	if _, some := wanted.BudgetTokens.Get(); some {
		r.lose(t.LossKind_Dropped, "reasoning.budget_tokens", "thinking is steered by levels here")
	}
}

func (r *renderer) output(o object, output w.Option[t.OutputFormat]) {
	wanted, some := output.Get()
	if !some {
		return
	}
	switch wanted.Tag() {
	case t.OutputFormat_Plain:
		o["response_format"] = object{"type": "text"}
	case t.OutputFormat_Json:
		o["response_format"] = object{"type": "json_object"}
	case t.OutputFormat_Schema:
		schema := wanted.Schema()
		inner := object{"name": schema.Name.Or("response"), "schema": raw(schema.Schema)}
		put(inner, "description", schema.Description)
		put(inner, "strict", schema.Strict)
		o["response_format"] = object{"type": "json_schema", "json_schema": inner}
	default:
		r.lose(t.LossKind_Dropped, "response_format", "it belongs to another format")
	}
}

func (r *renderer) tools(o object, request t.ChatRequest) {
	var names []string
	choice, chosen := request.ToolChoice.Get()
	if chosen && choice.Tag() == t.ToolChoice_Allowed {
		names = choice.Allowed().Names
	}
	var tools []object
	for i, tool := range request.Tools {
		if tool.Tag() != t.Tool_Function {
			r.refuse(fmt.Sprintf("tools[%d]", i), "only functions are taken as tools here")
			continue
		}
		if function := tool.Function(); names == nil || slices.Contains(names, function.Name) {
			tools = append(tools, r.function(fmt.Sprintf("tools[%d].", i), function))
		}
	}
	if len(tools) > 0 {
		o["tools"] = tools
	}
	if chosen {
		r.choice(o, choice)
	}
	put(o, "parallel_tool_calls", request.ParallelToolCalls)
}

func (r *renderer) function(place string, tool t.FunctionTool) object {
	inner := object{"name": tool.Name}
	put(inner, "description", tool.Description)
	put(inner, "strict", tool.Strict)
	if schema, some := tool.Parameters.Get(); some {
		inner["parameters"] = raw(schema)
	}
	r.hint(place, tool.Cache)
	o := object{"type": "function", "function": inner}
	r.extensions(o, place, tool.Extensions)
	return o
}

func (r *renderer) choice(o object, choice t.ToolChoice) {
	switch choice.Tag() {
	case t.ToolChoice_Automatic:
		o["tool_choice"] = "auto"
	case t.ToolChoice_Disabled:
		o["tool_choice"] = "none"
	case t.ToolChoice_Required:
		o["tool_choice"] = "required"
	case t.ToolChoice_Named:
		o["tool_choice"] = object{"type": "function", "function": object{"name": choice.Named()}}
	case t.ToolChoice_Allowed:
		r.lose(t.LossKind_Approximated, "tool_choice", "the list of tools is narrowed instead")
		o["tool_choice"] = "auto"
		if choice.Allowed().Required {
			o["tool_choice"] = "required"
		}
	default:
		r.lose(t.LossKind_Dropped, "tool_choice", "it belongs to another format")
	}
}
