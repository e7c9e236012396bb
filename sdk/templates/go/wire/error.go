package wire

import (
	"encoding/json"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"

	w "go.bytecodealliance.org/pkg/wit/types"
	t "wit_component/weir_adapter_types"
)

// Fail makes an error of the adapter's own.
func Fail(kind t.ErrorKind, format string, values ...any) t.Error {
	return t.Error{Kind: kind, Message: fmt.Sprintf(format, values...)}
}

// Unreadable makes the error for an answer that cannot be parsed.
func Unreadable(err error) t.Error {
	return Fail(t.ErrorKind_Upstream, "the provider's answer is not readable: %v", err)
}

// Recover turns a panic into an error that names its line: without it the whole component would trap.
func Recover[T any](result *w.Result[T, t.Error]) {
	if cause := recover(); cause != nil {
		*result = w.Err[T](Fail(t.ErrorKind_Internal, "the adapter failed: %v%s", cause, place()))
	}
}

// place is the line that panicked, as " (decoder.go:71)": the first one below Go's own runtime on the stack.
func place() string {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for panicking, more := false, true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		inside := strings.HasPrefix(frame.Function, "runtime.")
		if panicking && !inside {
			return fmt.Sprintf(" (%s:%d)", path.Base(frame.File), frame.Line)
		}
		panicking = panicking || inside
	}
	return ""
}

// Error reads the member `error` of an answer; status is 0 if the answer's status was below 400.
func Error(text json.RawMessage, status uint16) t.Error {
	var said struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		// A text, a number or null.
		Code any `json:"code"`
	}
	// A value that is not an object leaves the message empty; a generic message is used then.
	_ = json.Unmarshal(text, &said)
	code, _ := said.Code.(string)
	failure := t.Error{Kind: kind(code, said.Type, status), Message: said.Message, Param: Optional(said.Param)}
	if code != "" {
		failure.Code = w.Some(code)
	}
	if status != 0 {
		failure.Status = w.Some(status)
	}
	switch {
	case failure.Kind == t.ErrorKind_Authentication:
		// Providers repeat parts of the key in these messages; clients must not see them.
		failure.Message = "the provider refused the credential"
	case failure.Message == "":
		failure.Message = fmt.Sprintf("the provider answered with status %d", status)
	}
	return failure
}

func kind(code, name string, status uint16) t.ErrorKind {
	switch code {
	case "context_length_exceeded":
		return t.ErrorKind_ContextLength
	case "insufficient_quota":
		return t.ErrorKind_Quota
	case "content_filter", "content_policy_violation":
		return t.ErrorKind_ContentFiltered
	case "model_not_found":
		return t.ErrorKind_NotFound
	case "invalid_api_key":
		return t.ErrorKind_Authentication
	case "rate_limit_exceeded":
		return t.ErrorKind_RateLimited
	}
	switch {
	case status == 401:
		return t.ErrorKind_Authentication
	case status == 402:
		return t.ErrorKind_Quota
	case status == 403:
		return t.ErrorKind_Permission
	case status == 404:
		return t.ErrorKind_NotFound
	case status == 408 || status == 504:
		return t.ErrorKind_Timeout
	case status == 413:
		return t.ErrorKind_TooLarge
	case status == 429:
		return t.ErrorKind_RateLimited
	case status == 503 || status == 529:
		return t.ErrorKind_Overloaded
	case status >= 400 && status < 500, status == 0 && strings.Contains(name, "invalid"):
		return t.ErrorKind_InvalidRequest
	}
	return t.ErrorKind_Upstream
}

// RetryAfter reads the wait that the provider asks for.
func RetryAfter(headers []t.Header) w.Option[uint32] {
	for _, header := range headers {
		scale := 1000.0
		switch header.Name {
		case "retry-after-ms":
			scale = 1
		case "retry-after":
		default:
			continue
		}
		if wait, err := strconv.ParseFloat(header.Value, 64); err == nil && wait >= 0 && wait*scale < 1<<32 {
			return w.Some(uint32(wait * scale))
		}
	}
	return w.None[uint32]()
}
