// Package export_weir_hook_guard refuses chat requests with a certain word, which the option `word` sets.
//
// `wit/deps/hook/hook.wit` has everything that a guard can do: refuse, change and annotate requests, judge answers, and
// take note of the end of exchanges.
package export_weir_hook_guard

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"

	t "wit_component/weir_adapter_types"
	g "wit_component/weir_hook_guard"
)

// OnRequest judges a request before it is sent.
func OnRequest(facts g.Facts, asked g.Asked) g.RequestAnswer {
	allow := g.RequestAnswer{Verdict: g.MakeRequestVerdictAllow()}
	word := option(facts, "word")
	if word == "" || asked.Tag() != g.Asked_Chat {
		return allow
	}
	found := 0
	for _, message := range asked.Chat().Messages {
		for _, part := range message.Parts {
			if part.Tag() == t.Part_Text && strings.Contains(part.Text().Text, word) {
				found++
			}
		}
	}
	if found == 0 {
		return allow
	}
	return g.RequestAnswer{
		Verdict: g.MakeRequestVerdictDeny(g.Denial{Message: "this request has a word that is not allowed here"}),
		// What was found is never told, only that it was.
		Annotations: []g.Annotation{{Key: "word", Value: strconv.Itoa(found)}},
	}
}

// option returns an option that is a text; Weir has checked it against the manifest's settings.
func option(facts g.Facts, key string) (value string) {
	for _, one := range facts.Options {
		if one.Key == key {
			_ = json.Unmarshal([]byte(one.Json), &value)
		}
	}
	return value
}

// OnEnd takes note of the end of an exchange, if the manifest names Phase_End.
func OnEnd(facts g.Facts, outcome g.Outcome) []g.Annotation { return nil }

// Answer judges an answer. This guard lets all of them pass.
type Answer struct {
	// The generated code uses these two.
	pinner runtime.Pinner
	handle int32
}

func MakeAnswer(facts g.Facts) *Answer { return &Answer{} }

func (*Answer) OnDrop() {}

// Push judges the events of one read.
func (*Answer) Push(events []t.ChatEvent) g.EventAnswer {
	return g.EventAnswer{Verdict: g.MakeEventVerdictAllow()}
}

// Finish is called when all events have been pushed.
func (*Answer) Finish() g.EventAnswer {
	return g.EventAnswer{Verdict: g.MakeEventVerdictAllow()}
}
