package export_weir_adapter_provider_chat

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"

	w "go.bytecodealliance.org/pkg/wit/types"
	t "wit_component/weir_adapter_types"
	"wit_component/wire"
)

// ChatDecoder decodes a streamed answer, chunk by chunk. The same chunks give the same events however they are grouped.
type ChatDecoder struct {
	// The generated code uses these two.
	pinner runtime.Pinner
	handle int32

	started, done, failed bool
	candidates            []*progress
	events                []t.ChatEvent
}

// progress is one candidate of the answer.
type progress struct {
	index    uint32
	parts    uint32
	words    *open
	calls    []call
	finished bool
}

// open is the part that text is added to.
type open struct {
	part uint32
	kind uint8
}

type call struct {
	index, part uint32
	id          string
}

func MakeChatDecoder(ctx t.Context) *ChatDecoder { return &ChatDecoder{} }

func (d *ChatDecoder) OnDrop() {}

// Push decodes the frames of one read.
func (d *ChatDecoder) Push(frames []t.Frame) (result w.Result[t.Decoded, t.Error]) {
	defer wire.Recover(&result)
	for _, frame := range frames {
		if !d.failed && !d.done {
			d.frame(strings.TrimSpace(frame.Data))
		}
	}
	return d.take()
}

// Finish is called when the upstream has ended in an orderly way, which need not be the end of the answer.
func (d *ChatDecoder) Finish() (result w.Result[t.Decoded, t.Error]) {
	defer wire.Recover(&result)
	complete := d.started
	for _, candidate := range d.candidates {
		complete = complete && candidate.finished
	}
	if !d.failed && !complete {
		d.fail(wire.Unreadable(errors.New("the stream ended before the answer was complete")))
	}
	return d.take()
}

func (d *ChatDecoder) take() w.Result[t.Decoded, t.Error] {
	events := d.events
	d.events = nil
	return w.Ok[t.Decoded, t.Error](t.Decoded{Events: events})
}

func (d *ChatDecoder) tell(event t.ChatEvent) { d.events = append(d.events, event) }

func (d *ChatDecoder) fail(err t.Error) {
	d.failed = true
	d.tell(t.MakeChatEventFailure(err))
}

func (d *ChatDecoder) frame(data string) {
	if data == "" {
		return
	}
	if data == "[DONE]" {
		d.done = true
		return
	}
	var chunk wire.Answer
	if err := json.Unmarshal([]byte(data), &chunk); err != nil {
		d.fail(wire.Unreadable(err))
		return
	}
	if failed(chunk.Error) {
		d.fail(wire.Error(chunk.Error, 0))
		return
	}
	if !d.started {
		d.started = true
		d.tell(t.MakeChatEventStart(t.ResponseStart{
			Id: chunk.ID, Model: wire.Optional(chunk.Model), CreatedMs: wire.Milliseconds(chunk.Created),
		}))
	}
	for _, choice := range chunk.Choices {
		d.choice(d.candidate(choice.Index), choice)
	}
	if chunk.Usage != nil {
		d.tell(t.MakeChatEventUsage(chunk.Usage.Buckets()))
	}
}

func (d *ChatDecoder) candidate(index uint32) *progress {
	for _, candidate := range d.candidates {
		if candidate.index == index {
			return candidate
		}
	}
	candidate := &progress{index: index}
	d.candidates = append(d.candidates, candidate)
	return candidate
}

func (d *ChatDecoder) choice(c *progress, choice wire.Choice) {
	if c.finished {
		return
	}
	delta := choice.Delta
	d.say(c, t.MakePartKindReasoning(), delta.Reasoning)
	d.say(c, t.MakePartKindText(), delta.Content)
	d.say(c, t.MakePartKindRefusal(), delta.Refusal)
	for _, piece := range delta.ToolCalls {
		d.call(c, piece)
	}
	if choice.FinishReason == nil || *choice.FinishReason == "" {
		return
	}
	d.stopWords(c)
	for _, call := range c.calls {
		d.stop(c, call.part)
	}
	c.finished = true
	finish := wire.Finish(*choice.FinishReason, len(c.calls) > 0)
	d.tell(t.MakeChatEventFinish(t.CandidateFinish{Candidate: c.index, Finish: finish}))
}

// say adds text to the part of its kind. An empty piece changes nothing.
func (d *ChatDecoder) say(c *progress, kind t.PartKind, text *string) {
	if text == nil || *text == "" {
		return
	}
	if c.words == nil || c.words.kind != kind.Tag() {
		d.stopWords(c)
		c.words = &open{part: d.start(c, kind), kind: kind.Tag()}
	}
	d.delta(c, c.words.part, *text)
}

// call adds to the call that a piece belongs to, or begins one. An index may be missing or used again: the id decides.
func (d *ChatDecoder) call(c *progress, piece wire.Call) {
	at := -1
	for i, known := range c.calls {
		sameIndex := piece.Index != nil && known.index == *piece.Index
		if piece.ID != "" && known.id == piece.ID || piece.ID == "" && (sameIndex || piece.Index == nil) {
			at = i
		}
	}
	if at < 0 {
		if piece.ID == "" && piece.Function.Name == "" {
			return
		}
		d.stopWords(c)
		start := t.ToolStart{Id: piece.ID, Name: piece.Function.Name, Kind: t.ToolKind_Function}
		begun := call{index: uint32(len(c.calls)), part: d.start(c, t.MakePartKindToolCall(start)), id: piece.ID}
		if piece.Index != nil {
			begun.index = *piece.Index
		}
		c.calls = append(c.calls, begun)
		at = len(c.calls) - 1
	}
	if text := piece.Function.Arguments; text != "" {
		d.delta(c, c.calls[at].part, text)
	}
}

func (d *ChatDecoder) start(c *progress, kind t.PartKind) uint32 {
	part := c.parts
	c.parts++
	d.tell(t.MakeChatEventPartStart(t.PartStart{Candidate: c.index, Part: part, Kind: kind}))
	return part
}

func (d *ChatDecoder) delta(c *progress, part uint32, text string) {
	d.tell(t.MakeChatEventDelta(t.PartDelta{Candidate: c.index, Part: part, Text: text}))
}

func (d *ChatDecoder) stop(c *progress, part uint32) {
	d.tell(t.MakeChatEventPartStop(t.PartStop{Candidate: c.index, Part: part}))
}

func (d *ChatDecoder) stopWords(c *progress) {
	if c.words != nil {
		d.stop(c, c.words.part)
		c.words = nil
	}
}
