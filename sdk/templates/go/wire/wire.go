// Package wire has the shapes of the provider's JSON and the code for them that several packages share.
//
// Source: OpenAI's public API reference, chat completions and models.
package wire

import (
	"encoding/json"
	"math"

	w "go.bytecodealliance.org/pkg/wit/types"
	t "wit_component/weir_adapter_types"
)

// Contract is the contract's version that the bindings are made for. The world in `wit/world.wit` names it too.
const Contract = "0.2.0"

// Format is the format's id in Weir.
const Format = "openai.chat"

// ModelsFormat is the id of the format for lists of models.
const ModelsFormat = "openai.models"

// Answer is a whole answer, or one chunk of a streamed one.
type Answer struct {
	ID      string          `json:"id"`
	Model   *string         `json:"model"`
	Created *float64        `json:"created"`
	Choices []Choice        `json:"choices"`
	Usage   *Usage          `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

// Choice is one candidate, or a chunk's addition to it.
type Choice struct {
	Index        uint32  `json:"index"`
	Message      Message `json:"message"`
	Delta        Message `json:"delta"`
	FinishReason *string `json:"finish_reason"`
}

// Message is the model's message.
type Message struct {
	Content   *string `json:"content"`
	Refusal   *string `json:"refusal"`
	Reasoning *string `json:"reasoning_content"`
	ToolCalls []Call  `json:"tool_calls"`
}

// Call is a tool call, or a piece of one.
type Call struct {
	Index    *uint32 `json:"index"`
	ID       string  `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// Usage counts tokens: the details are included in the totals.
type Usage struct {
	Prompt        *uint32 `json:"prompt_tokens"`
	Completion    *uint32 `json:"completion_tokens"`
	PromptDetails struct {
		Cached *uint32 `json:"cached_tokens"`
		Audio  *uint32 `json:"audio_tokens"`
		Image  *uint32 `json:"image_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning *uint32 `json:"reasoning_tokens"`
		Audio     *uint32 `json:"audio_tokens"`
		Image     *uint32 `json:"image_tokens"`
	} `json:"completion_tokens_details"`
}

// Buckets are disjoint: no token is counted in two of them.
func (u *Usage) Buckets() t.Usage {
	in, out := u.PromptDetails, u.CompletionDetails
	input, output := without(u.Prompt, in.Cached), without(u.Completion, out.Reasoning)
	buckets := t.Usage{CacheRead: Optional(in.Cached), Reasoning: Optional(out.Reasoning)}
	buckets.InputAudio = share(&input, in.Audio)
	buckets.InputImage = share(&input, in.Image)
	buckets.OutputAudio = share(&output, out.Audio)
	buckets.OutputImage = share(&output, out.Image)
	buckets.Input, buckets.Output = input, output
	return buckets
}

func without(total, part *uint32) w.Option[uint32] {
	if total == nil {
		return w.None[uint32]()
	}
	if part == nil || *part > *total {
		return w.Some(*total)
	}
	return w.Some(*total - *part)
}

// The audio or image tokens of a total: at most what is left of it, and none for zero.
func share(left *w.Option[uint32], part *uint32) w.Option[uint32] {
	rest, known := left.Get()
	if !known || rest == 0 || part == nil || *part == 0 {
		return w.None[uint32]()
	}
	of := min(*part, rest)
	*left = w.Some(rest - of)
	return w.Some(of)
}

// Finish reads a finish reason. Calls outrank a natural end: some servers send `stop` after them.
func Finish(raw string, called bool) t.Finish {
	reason := t.FinishReason_Other
	switch raw {
	case "stop":
		reason = t.FinishReason_Complete
	case "length":
		reason = t.FinishReason_Length
	case "tool_calls", "function_call":
		reason = t.FinishReason_ToolCalls
	case "content_filter":
		reason = t.FinishReason_ContentFilter
	}
	if called && (reason == t.FinishReason_Complete || reason == t.FinishReason_Other) {
		reason = t.FinishReason_ToolCalls
	}
	return t.Finish{Reason: reason, Raw: w.Some(raw)}
}

// Milliseconds of a time in seconds.
func Milliseconds(seconds *float64) w.Option[float64] {
	if seconds == nil {
		return w.None[float64]()
	}
	return w.Some(math.Round(*seconds * 1000))
}

// Optional is a pointer as an option.
func Optional[T any](value *T) w.Option[T] {
	if value == nil {
		return w.None[T]()
	}
	return w.Some(*value)
}

// Text is a body as text.
func Text(body t.Body) string {
	if body.Tag() == t.Body_Text {
		return body.Text()
	}
	return string(body.Bytes())
}
