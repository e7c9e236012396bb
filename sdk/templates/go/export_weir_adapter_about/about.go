// Package export_weir_adapter_about has the manifest. Weir works from it alone when no component runs: which requests
// may be relayed untouched, how usage is read from answers, how keys are sent. `wit/deps/weir/about.wit` has every
// field.
package export_weir_adapter_about

import (
	w "go.bytecodealliance.org/pkg/wit/types"
	a "wit_component/weir_adapter_about"
	"wit_component/wire"
)

// Describe returns the manifest, which never changes.
func Describe() a.Manifest {
	return a.Manifest{
		Name:        "acme",
		Version:     "0.1.0",
		Contract:    wire.Contract,
		Description: "acme: chat completions and models",
		Family:      "openai",
		Isolation:   a.Isolation_Tenant,
		TakesBlobs:  true,
		Suggests:    a.Suggestions{
			// Url: w.Some("https://api.example.com/v1/"), KeyVariables: []string{"API_KEY"},
		},
		Formats: []a.Format{{Id: wire.Format, Tap: w.Some(tap())}, {Id: wire.ModelsFormat}},
		Accepts: []a.Acceptance{chat(), models("models"), models("models/{model}")},
		Auth:    []a.Auth{{Name: "bearer", Scheme: a.MakeAuthSchemeBearer()}},
		Capabilities: a.Capabilities{
			Operations: []a.Operation{a.MakeOperationChat(), a.MakeOperationModels()},
			Media:      []string{"image"},
			Tools:      true,
		},
	}
}

var responseHeaders = []string{"x-request-id", "x-ratelimit-*", "retry-after", "retry-after-ms"}

// Requests that may go to the provider unchanged. A request that the provider does not accept as the format defines it
// must be translated: each exclusion is one reason.
func chat() a.Acceptance {
	return a.Acceptance{
		Format:          wire.Format,
		Operation:       a.MakeOperationChat(),
		Method:          "POST",
		Path:            "chat/completions",
		ResponseHeaders: responseHeaders,
		Exclusions: []a.Exclusion{
			{Test: a.MakeFrameTestPresent("/max_completion_tokens"), Reason: "it is called max_tokens here"},
			{Test: equals("/messages/*/role", `"developer"`), Reason: "the role is not known here"},
		},
		AskUsage: w.Some(a.UsageRequest{
			Pointer: "/stream_options/include_usage", Json: "true", Withheld: equals("/choices", "[]"),
		}),
		Preferred: true,
	}
}

func models(path string) a.Acceptance {
	return a.Acceptance{
		Format: wire.ModelsFormat, Operation: a.MakeOperationModels(), Method: "GET", Path: path,
		ResponseHeaders: responseHeaders,
	}
}

// How usage and the like are read from relayed answers.
func tap() a.Tap {
	return a.Tap{
		Usage: []a.UsagePlace{
			place(a.Bucket_Input, "/usage/prompt_tokens", a.Bucket_CacheRead, a.Bucket_InputAudio, a.Bucket_InputImage),
			place(a.Bucket_CacheRead, "/usage/prompt_tokens_details/cached_tokens"),
			place(a.Bucket_InputAudio, "/usage/prompt_tokens_details/audio_tokens"),
			place(a.Bucket_InputImage, "/usage/prompt_tokens_details/image_tokens"),
			place(a.Bucket_Output, "/usage/completion_tokens", a.Bucket_Reasoning, a.Bucket_OutputAudio, a.Bucket_OutputImage),
			place(a.Bucket_Reasoning, "/usage/completion_tokens_details/reasoning_tokens"),
			place(a.Bucket_OutputAudio, "/usage/completion_tokens_details/audio_tokens"),
			place(a.Bucket_OutputImage, "/usage/completion_tokens_details/image_tokens"),
		},
		Finish: []string{"/choices/*/finish_reason"},
		Model:  []string{"/model"},
		Content: []a.FrameTest{
			a.MakeFrameTestPresent("/choices/*/delta/content"),
			a.MakeFrameTestPresent("/choices/*/delta/tool_calls"),
			a.MakeFrameTestPresent("/choices/*/message"),
		},
		End:     []a.FrameTest{a.MakeFrameTestData("[DONE]")},
		Failure: []a.FrameTest{a.MakeFrameTestPresent("/error")},
	}
}

func place(bucket a.Bucket, pointer string, includes ...a.Bucket) a.UsagePlace {
	return a.UsagePlace{Bucket: bucket, Pointers: []string{pointer}, Merge: a.Merge_Last, Includes: includes}
}

func equals(pointer, json string) a.FrameTest {
	return a.MakeFrameTestEquals(a.PointerEquals{Pointer: pointer, Json: json})
}
