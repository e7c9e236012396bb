package export_weir_adapter_provider_chat

import (
	"encoding/json"

	w "go.bytecodealliance.org/pkg/wit/types"
	c "wit_component/weir_adapter_provider_chat"
	t "wit_component/weir_adapter_types"
	"wit_component/wire"
)

// ParseResponse reads a whole answer with a status below 400.
func ParseResponse(ctx t.Context, response t.HttpResponse) (result w.Result[c.ChatOutcome, t.Error]) {
	defer wire.Recover(&result)
	var answer wire.Answer
	if err := json.Unmarshal([]byte(wire.Text(response.Body)), &answer); err != nil {
		return w.Err[c.ChatOutcome](wire.Unreadable(err))
	}
	if failed(answer.Error) {
		return w.Err[c.ChatOutcome](wire.Error(answer.Error, 0))
	}
	said := t.ChatResponse{Id: answer.ID, Model: wire.Optional(answer.Model), CreatedMs: wire.Milliseconds(answer.Created)}
	for _, choice := range answer.Choices {
		said.Candidates = append(said.Candidates, candidate(choice))
	}
	if answer.Usage != nil {
		said.Usage = w.Some(answer.Usage.Buckets())
	}
	return w.Ok[c.ChatOutcome, t.Error](c.MakeChatOutcomeComplete(c.ChatAnswer{Response: said}))
}

func candidate(choice wire.Choice) t.Candidate {
	var parts []t.Part
	message := choice.Message
	if message.Reasoning != nil && *message.Reasoning != "" {
		parts = append(parts, t.MakePartReasoning(t.ReasoningPart{Text: w.Some(*message.Reasoning)}))
	}
	if message.Content != nil && *message.Content != "" {
		parts = append(parts, t.MakePartText(t.TextPart{Text: *message.Content}))
	}
	if message.Refusal != nil && *message.Refusal != "" {
		parts = append(parts, t.MakePartRefusal(*message.Refusal))
	}
	for _, call := range message.ToolCalls {
		parts = append(parts, t.MakePartToolCall(t.ToolCall{
			Id: call.ID, Name: call.Function.Name, Kind: t.ToolKind_Function, Arguments: call.Function.Arguments,
		}))
	}
	candidate := t.Candidate{Index: choice.Index, Parts: parts}
	if choice.FinishReason != nil && *choice.FinishReason != "" {
		candidate.Finish = w.Some(wire.Finish(*choice.FinishReason, len(message.ToolCalls) > 0))
	}
	return candidate
}

func failed(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null"
}
