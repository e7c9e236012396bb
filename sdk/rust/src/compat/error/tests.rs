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
    assert_eq!(coded(498, "capacity_exceeded").kind, ErrorKind::Overloaded);
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
fn c83_a_request_that_exceeds_the_rate_by_itself_is_no_rate_limit() {
    for (status, message) in [
        (
            Some(413),
            "Request too large for model `m` in organization `o` service tier `on_demand` on tokens per minute (TPM): \
             Limit 12000, Requested 14137, please reduce your message size and try again.",
        ),
        (
            Some(429),
            "Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 35364. The \
             input or output tokens must be reduced in order to run successfully.",
        ),
        (None, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 35364."),
    ] {
        let body = format!(r#"{{"message":"{message}","type":"tokens","code":"rate_limit_exceeded"}}"#);
        let error = from_json(&body, status);
        assert_eq!((error.kind, error.status), (ErrorKind::Unsupported, status), "{message}");
    }
    let busy = "Rate limit reached for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Used 29000, \
                Requested 2000. Please try again in 2s.";
    let body = format!(r#"{{"error":{{"message":"{busy}","type":"tokens","code":"rate_limit_exceeded"}}}}"#);
    assert_eq!(read(429, &body).kind, ErrorKind::RateLimited);
    let large = r#"{"error":{"message":"Request Entity Too Large","code":"request_too_large"}}"#;
    assert_eq!(read(413, large).kind, ErrorKind::TooLarge);
}

#[test]
fn c83_an_account_without_money_is_told_by_its_words() {
    let spent = r#"{"code":"Some resource has been exhausted","error":"Your team t has either used all available credits or reached its monthly spending limit."}"#;
    let suspended = r#"{"error":{"message":"Account a is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.","code":"PRECONDITION_FAILED","type":"error"}}"#;
    assert_eq!([403, 429].map(|status| read(status, spent).kind), [ErrorKind::Quota; 2]);
    assert_eq!(read(412, suspended).kind, ErrorKind::Quota);
    assert_eq!(read(412, r#"{"error":"no"}"#).kind, ErrorKind::InvalidRequest);
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

#[test]
fn c83_a_response_that_failed_says_whose_fault_it_is_by_its_code() {
    for (code, kind) in [
        ("server_error", ErrorKind::Upstream),
        ("rate_limit_exceeded", ErrorKind::RateLimited),
        ("invalid_prompt", ErrorKind::InvalidRequest),
        ("invalid_base64_image", ErrorKind::InvalidRequest),
        ("image_too_large", ErrorKind::InvalidRequest),
        ("failed_to_download_image", ErrorKind::InvalidRequest),
        ("image_content_policy_violation", ErrorKind::ContentFiltered),
        ("bio_policy", ErrorKind::ContentFiltered),
        ("data_residency_mismatch", ErrorKind::Permission),
        ("vector_store_timeout", ErrorKind::Timeout),
    ] {
        let error = from_json(&format!(r#"{{"code":"{code}","message":"no"}}"#), None);
        assert_eq!(error.kind, kind, "{code}");
    }
}
