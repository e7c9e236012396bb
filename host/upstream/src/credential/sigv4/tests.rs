//! Checks against the signing test suite that AWS publishes (`aws-signing-test-suite/v4`, cases by their names there;
//! cases of normalised paths and of headers that are not signed here are left out), and against signatures of botocore
//! 1.43.

use std::time::Duration;

use super::*;

const SUITE_KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const SUITE_TIME: u64 = 1_440_938_160;
const SUITE_SESSION: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoI\
    YRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8Y\
    QcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn signature(headers: &HeaderMap) -> String {
    let value = headers[header::AUTHORIZATION].to_str().unwrap();
    value.split_once("Signature=").unwrap().1.to_owned()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn of_suite(key: &str, method: &str, target: &str) -> String {
    let signer = Signer::new(key, "us-east-1", "service").unwrap();
    let uri = format!("https://example.amazonaws.com{target}").parse().unwrap();
    let mut headers = HeaderMap::new();
    let message = Message { method: &method.parse().unwrap(), uri: &uri, body: &Chunks::empty() };
    signer.sign(message, &mut headers, at(SUITE_TIME)).unwrap();
    signature(&headers)
}

#[test]
fn signatures_match_the_published_suite() {
    let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let cases = [
        ("get-vanilla", "GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "get-unreserved",
            "GET",
            &format!("/{unreserved}"),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-vanilla-query-unreserved",
            "GET",
            &format!("/?{unreserved}={unreserved}"),
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (
            "get-vanilla-query-order-encoded",
            "GET",
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-utf8-query",
            "GET",
            "/?%E1%88%B4=bar",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "post-vanilla-query",
            "POST",
            "/?Param1=value1",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
    ];
    for (name, method, target, expected) in cases {
        assert_eq!(of_suite(SUITE_KEY, method, target), expected, "{name}");
    }
    let with_session = format!("{SUITE_KEY}:{SUITE_SESSION}");
    let expected = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead";
    assert_eq!(of_suite(&with_session, "POST", "/"), expected, "post-sts-header-before");
}

#[test]
fn paths_are_encoded_twice_in_the_suites_cases_for_it() {
    for (path, expected) in [
        ("/test/@connections/JBDvjfGEIAMCERw%3D", "/test/%40connections/JBDvjfGEIAMCERw%253D"),
        ("/functions/arn%3Aaws%3Alambda/invocations", "/functions/arn%253Aaws%253Alambda/invocations"),
        ("/model/a:0/converse", "/model/a%3A0/converse"),
        ("/", "/"),
    ] {
        assert_eq!(canonical_path(path), expected);
    }
}

#[test]
fn what_a_client_brings_is_not_signed_for_it() {
    let signer = Signer::new(SUITE_KEY, "us-east-1", "service").unwrap();
    let uri = "https://h:443/".parse().unwrap();
    let message = Message { method: &Method::GET, uri: &uri, body: &Chunks::empty() };
    let forged = [("x-amz-content-sha256", "0"), ("x-amz-security-token", "0"), ("x-amz-date", "0"), ("accept", "a")];
    let mut headers = headers(&forged);
    signer.sign(message, &mut headers, at(SUITE_TIME)).unwrap();
    assert_eq!(headers["x-amz-date"], "20150830T123600Z");
    assert!(!headers.contains_key("x-amz-content-sha256") && !headers.contains_key("x-amz-security-token"));
    assert!(headers[header::AUTHORIZATION].to_str().unwrap().contains("SignedHeaders=host;x-amz-date,"));
    assert!(headers[header::AUTHORIZATION].is_sensitive());
    assert_eq!(host(&uri).as_deref(), Some("h"));
}

#[test]
fn times_are_dates() {
    for (seconds, expected) in [
        (0, "19700101T000000Z"),
        (SUITE_TIME, "20150830T123600Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (1_709_251_199, "20240229T235959Z"),
        (1_735_689_600, "20250101T000000Z"),
        (4_107_542_400, "21000301T000000Z"),
    ] {
        assert_eq!(timestamp(at(seconds)), expected);
    }
}

#[test]
fn keys_of_another_form_are_refused_without_being_shown() {
    for key in ["only-s3cret", "", ":s3cret", "s3cret:", "a:s3cret:"] {
        let error = Signer::new(key, "r", "s").err().unwrap();
        assert_eq!(error, CredentialError::Form(FORM));
        assert!(!error.to_string().contains("s3cret"));
    }
    assert_eq!(Signer::new("a:b c", "r", "s").err(), Some(CredentialError::Characters));
}

#[test]
fn requests_are_signed_as_botocore_signs_them() {
    let json = Chunks::from(vec![bytes::Bytes::from_static(b"{\"messages\""), bytes::Bytes::from_static(b":[]}")]);
    for (method, target, session, expected) in [
        (
            Method::POST,
            "/model/maker.model-20240307-v1%3A0/converse",
            None,
            "4cccb1a3ba3441157cb2ff9f9f44319f744093ccde8ffd9fa365a2f532a29da2",
        ),
        (
            Method::POST,
            "/model/arn%3Aaws%3Aservice%3Aeu-west-1%3A123456789012%3Aprofile%2Feu.a%3A0/stream",
            Some("TOKEN/+="),
            "148b21e80a24b900d1c77ec30e812b41d381ffec94c48576560334fade7b1766",
        ),
        (Method::POST, "/model/a:0/converse", None, "b54ac56404720830e0728d1e2867b51acdaa1d3aed983f9bc01c2f7c3f687a4a"),
        (
            Method::GET,
            "/models?byMaker=a%20b&byOutput=TEXT",
            None,
            "7dd63da4487c1b640fecf2d14be3165df63cc914b49db5139033f2b93cd487ac",
        ),
    ] {
        let key = session.map_or_else(|| SUITE_KEY.to_owned(), |session| format!("{SUITE_KEY}:{session}"));
        let signer = Signer::new(&key, "eu-west-1", "service").unwrap();
        let uri = format!("https://service.eu-west-1.amazonaws.com{target}").parse().unwrap();
        let body = if method == Method::POST { json.clone() } else { Chunks::empty() };
        let mut headers = HeaderMap::new();
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::USER_AGENT, HeaderValue::from_static("anybody may change this"));
        let message = Message { method: &method, uri: &uri, body: &body };
        signer.sign(message, &mut headers, at(1_795_176_000)).unwrap();
        assert_eq!(signature(&headers), expected, "{target}");
    }
}
