package export_weir_adapter_provider_chat

import (
	"fmt"
	"strings"

	t "wit_component/weir_adapter_types"
)

func (r *renderer) messages(messages []t.Message) []object {
	written := []object{}
	for i, message := range messages {
		place := fmt.Sprintf("messages[%d].", i)
		// Tool results are separate messages, before the rest of the turn.
		written = append(written, r.results(place, message)...)
		if o := r.message(place, message); o != nil {
			written = append(written, o)
		}
	}
	return written
}

func role(role t.Role) string {
	switch role.Tag() {
	case t.Role_System, t.Role_Developer:
		return "system"
	case t.Role_Assistant:
		return "assistant"
	case t.Role_Tool:
		return "tool"
	case t.Role_Other:
		return role.Other()
	}
	return "user"
}

// message renders a message without its tool results; nil if nothing is left.
func (r *renderer) message(place string, message t.Message) object {
	o := object{"role": role(message.Role)}
	var content []object
	var calls []object
	plain := true
	results := 0
	for i, part := range message.Parts {
		field := fmt.Sprintf("%scontent[%d].", place, i)
		switch part.Tag() {
		case t.Part_Text:
			content = append(content, r.text(field, part.Text()))
		case t.Part_Media:
			content, plain = append(content, r.media(field, part.Media())), false
		case t.Part_ToolCall:
			calls = append(calls, r.call(field, part.ToolCall()))
		case t.Part_ToolResult:
			results++
		case t.Part_Reasoning:
			r.lose(t.LossKind_Dropped, field+"reasoning", "thinking has no place in this history")
		case t.Part_Refusal:
			o["refusal"] = part.Refusal()
		default:
			r.lose(t.LossKind_Dropped, strings.TrimSuffix(field, "."), "it belongs to another format")
		}
	}
	if results > 0 && len(content) == 0 && len(calls) == 0 {
		return nil
	}
	switch {
	case len(content) == 0 && (len(calls) > 0 || o["refusal"] != nil):
		o["content"] = nil
	case len(content) == 0:
		o["content"] = ""
	case len(content) == 1 && plain:
		o["content"] = content[0]["text"]
	default:
		o["content"] = content
	}
	if len(calls) > 0 {
		o["tool_calls"] = calls
	}
	put(o, "name", message.Name)
	r.extensions(o, place, message.Extensions)
	return o
}

func (r *renderer) text(place string, part t.TextPart) object {
	if len(part.Citations) > 0 {
		r.lose(t.LossKind_Dropped, place+"citations", "there is no place for them")
	}
	if _, some := part.Signature.Get(); some {
		r.lose(t.LossKind_Dropped, place+"signature", "it returns to its issuer only")
	}
	r.hint(place, part.Cache)
	r.extensions(object{}, place, part.Extensions)
	return object{"type": "text", "text": part.Text}
}

func (r *renderer) media(place string, part t.MediaPart) object {
	address := ""
	if part.Kind == t.MediaKind_Image {
		switch part.Source.Tag() {
		case t.MediaSource_Url:
			address = part.Source.Url()
		case t.MediaSource_Base64:
			address = "data:" + part.Mime.Or("image/png") + ";base64," + part.Source.Base64()
		}
	}
	if address == "" {
		r.refuse(strings.TrimSuffix(place, "."), "only images, by address or in base64, are taken here")
	}
	image := object{"url": address}
	put(image, "detail", part.Detail)
	r.hint(place, part.Cache)
	r.extensions(object{}, place, part.Extensions)
	return object{"type": "image_url", "image_url": image}
}

func (r *renderer) call(place string, call t.ToolCall) object {
	if call.Kind != t.ToolKind_Function {
		r.refuse(strings.TrimSuffix(place, "."), "only functions are taken as tools here")
	}
	if _, some := call.Signature.Get(); some {
		r.lose(t.LossKind_Dropped, place+"signature", "it returns to its issuer only")
	}
	r.hint(place, call.Cache)
	arguments := call.Arguments
	if strings.TrimSpace(arguments) == "" {
		arguments = "{}"
	}
	o := object{
		"id": call.Id, "type": "function", "function": object{"name": call.Name, "arguments": arguments},
	}
	r.extensions(o, place, call.Extensions)
	return o
}

// results renders a message's tool results, each as a message.
func (r *renderer) results(place string, message t.Message) []object {
	var written []object
	for i, part := range message.Parts {
		if part.Tag() != t.Part_ToolResult {
			continue
		}
		result, field := part.ToolResult(), fmt.Sprintf("%scontent[%d].", place, i)
		var texts []string
		for _, piece := range result.Content {
			switch piece.Tag() {
			case t.ResultPart_Text:
				texts = append(texts, r.text(field, piece.Text())["text"].(string))
			case t.ResultPart_Json:
				texts = append(texts, piece.Json())
			default:
				r.refuse(strings.TrimSuffix(field, "."), "the results of tools are text here")
			}
		}
		if result.IsError.Or(false) {
			r.lose(t.LossKind_Dropped, field+"is_error", "there is no place for it")
		}
		r.hint(field, result.Cache)
		o := object{"role": "tool", "tool_call_id": result.CallId, "content": strings.Join(texts, "\n")}
		put(o, "name", result.Name)
		r.extensions(o, field, result.Extensions)
		written = append(written, o)
	}
	return written
}
