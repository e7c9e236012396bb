use super::*;
use crate::types::Header;

fn read(status: u16, body: &str) -> Error {
    let headers = vec![Header::new("retry-after", "3")];
    let response = HttpResponse { status, headers, body: Body::Text(body.into()) };
    parse(&Context::default(), &response)
}

#[test]
fn every_shape_is_read() {
    for (body, message) in [
        (r#"{"error":{"message":"no","type":"invalid_request_error","param":"x","code":null}}"#, "no"),
        (r#"{"error":"no"}"#, "no"),
        (r#"{"detail":"no"}"#, "no"),
        (r#"{"detail":[{"loc":["body","x"],"msg":"no","type":"value_error"}]}"#, "no"),
        (r#"{"message":"no","code":3051}"#, "no"),
        (r#"{"object":"error","message":"no","type":"bad","code":"3051"}"#, "no"),
        (r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#, "no"),
        (r#"{"errors":[{"message":"no","code":7003}]}"#, "no"),
        (
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"no\"}}"}}}"#,
            "no",
        ),
        (
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"no"}]},"type":"bad"}"#,
            "no",
        ),
        (r#"{"message":["no","nor this"]}"#, "no"),
        ("", "the provider answered with status 400"),
        ("<html><body>Bad Gateway</body></html>", "the provider answered with status 400"),
        (r#"{"error":{"mess"#, "the provider answered with status 400"),
    ] {
        let error = read(400, body);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::InvalidRequest, message), "{body}");
        assert_eq!(error.retry_after_ms, Some(3000));
    }
}

#[test]
fn c83_the_reason_survives() {
    let coded =
        |status, code: &str| read(status, &format!(r#"{{"error":{{"message":"m","type":"t","code":"{code}"}}}}"#));
    assert_eq!(coded(400, "context_length_exceeded").kind, ErrorKind::ContextLength);
    assert_eq!(coded(429, "insufficient_quota").kind, ErrorKind::Quota);
    assert_eq!(coded(429, "rate_limit_exceeded").kind, ErrorKind::RateLimited);
    assert_eq!(coded(404, "model_not_found").kind, ErrorKind::NotFound);
    assert_eq!(coded(400, "content_filter").kind, ErrorKind::ContentFiltered);
    assert_eq!(coded(404, "model_not_found").code.as_deref(), Some("model_not_found"));
    let kind_of = |status, message: &str| read(status, &format!(r#"{{"error":{{"message":"{message}"}}}}"#)).kind;
    assert_eq!(kind_of(400, "This model's maximum context length is 8192 tokens"), ErrorKind::ContextLength);
    for message in [
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "`inputs` must have less than 99999 tokens. Given: 100500",
        "Invalid 'input[0]': maximum input length is 8192 tokens.",
        "Input length (9 tokens) exceeds the maximum allowed length (8 tokens).",
        "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        "The prompt is longer than the maximum model length of 8",
    ] {
        assert_eq!([400, 422].map(|status| kind_of(status, message)), [ErrorKind::ContextLength; 2], "{message}");
    }
    assert_eq!(kind_of(400, "Model no-such/embedding-model does not exist"), ErrorKind::NotFound);
    assert_eq!(kind_of(400, "The file does not exist"), ErrorKind::InvalidRequest);
    assert_eq!(kind_of(429, "You exceeded your current quota"), ErrorKind::Quota);
    assert_eq!(kind_of(402, "pay"), ErrorKind::Quota);
    assert_eq!(kind_of(503, "busy"), ErrorKind::Overloaded);
    assert_eq!(kind_of(502, "?"), ErrorKind::Upstream);
    assert_eq!(kind_of(504, "?"), ErrorKind::Timeout);
}

#[test]
fn c70_nothing_of_a_refused_key_is_passed_on() {
    let error = read(401, r#"{"error":{"message":"Incorrect API key provided: sk-ab***yz","code":"invalid_api_key"}}"#);
    assert_eq!(error.kind, ErrorKind::Authentication);
    assert!(!error.message.contains("sk-"));
}

#[test]
fn the_place_of_a_wrong_member_is_told() {
    let param = |loc: &str| read(422, &format!(r#"{{"detail":[{{"loc":{loc},"msg":"no"}}]}}"#)).param;
    assert_eq!(param(r#"["body","messages",0,"role"]"#).as_deref(), Some("messages[0].role"));
    assert_eq!([param(r#"["body"]"#), param("7")], [None, None]);
}

#[test]
fn an_error_inside_a_stream_brings_its_own_status() {
    let error = from_json(r#"{"code":429,"message":"slow down"}"#, None);
    assert_eq!((error.kind, error.status), (ErrorKind::RateLimited, Some(429)));
    let nested = from_json(r#"{"message":"no","http_status_code":422}"#, None);
    assert_eq!((nested.kind, nested.status), (ErrorKind::InvalidRequest, Some(422)));
}
