//! One call of gRPC as an HTTP exchange: the message in a frame of its own, the status in the trailers. The exporter
//! sees it as OTLP over HTTP, so that both ways have the same connections, roots and limits.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use opentelemetry_http::HttpError;
use weir_transcoding::{MessageError, MessageReader, PREFIX_BYTES, PrefixError, prefix_of};

/// The codes after which a batch may be sent again (OTLP specification, "Failures"): cancelled, deadline exceeded,
/// aborted, out of range, unavailable, data loss.
const PASSING: [u16; 6] = [1, 4, 10, 11, 14, 15];

/// Why a successful answer cannot be read.
#[derive(Debug, thiserror::Error)]
enum FramingError {
    #[error("the collector's answer is {0}")]
    Prefix(#[from] PrefixError),
    #[error("the collector's answer is not one whole message")]
    NotOne,
}

/// The message in a frame.
pub(super) fn framed(request: Request<Bytes>) -> Result<Request<Bytes>, HttpError> {
    let (mut head, message) = request.into_parts();
    let prefix = prefix_of(message.len()).ok_or(MessageError::TooLong)?;
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    body.put_slice(&prefix);
    body.put(message);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers.insert(TE, HeaderValue::from_static("trailers"));
    Ok(Request::from_parts(head, body.freeze()))
}

/// The answer as one of OTLP over HTTP: 200 with the message, 503 if the batch may be sent again, else 400.
pub(super) async fn read<B>(answer: Response<B>, limit: usize) -> Result<Response<Bytes>, HttpError>
where
    B: Body + Send + 'static,
    B::Error: Into<HttpError>,
{
    let (head, body) = answer.into_parts();
    let collected = Limited::new(body, limit).collect().await?;
    let code = collected.trailers().and_then(code).or_else(|| code(&head.headers));
    let status = match code {
        _ if head.status != StatusCode::OK => head.status,
        Some(0) => StatusCode::OK,
        Some(code) if PASSING.contains(&code) => StatusCode::SERVICE_UNAVAILABLE,
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::BAD_GATEWAY,
    };
    let message = if code == Some(0) { only_message(&collected.to_bytes(), limit)? } else { Bytes::new() };
    Ok(Response::builder().status(status).body(message)?)
}

/// The one message of an answer.
fn only_message(bytes: &Bytes, limit: usize) -> Result<Bytes, FramingError> {
    let mut reader = MessageReader::new(limit);
    reader.push(bytes);
    let message = reader.take()?.ok_or(FramingError::NotOne)?;
    if reader.is_between() { Ok(message) } else { Err(FramingError::NotOne) }
}

fn code(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    async fn status(code: Option<&'static str>, http: u16) -> u16 {
        let mut answer = Response::builder().status(http);
        if let Some(code) = code {
            answer = answer.header("grpc-status", code);
        }
        let answer = answer.body(Full::new(Bytes::from_static(b"\0\0\0\0\x02ok"))).unwrap();
        let read = read(answer, 64).await.unwrap();
        assert_eq!(&**read.body(), if code == Some("0") { &b"ok"[..] } else { b"" });
        read.status().as_u16()
    }

    #[test]
    fn a_message_is_framed_with_its_length() {
        let request = Request::post("http://a/b").header("content-type", "application/x-protobuf");
        let request = framed(request.body(Bytes::from_static(b"abc")).unwrap()).unwrap();
        assert_eq!(&**request.body(), b"\0\0\0\0\x03abc");
        assert_eq!(
            (&request.headers()[CONTENT_TYPE], &request.headers()[TE]),
            (&"application/grpc".parse().unwrap(), &"trailers".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn only_passing_failures_are_tried_again() {
        assert_eq!(status(Some("0"), 200).await, 200);
        assert_eq!(status(Some("14"), 200).await, 503);
        assert_eq!(status(Some("3"), 200).await, 400);
        assert_eq!(status(None, 200).await, 502);
        assert_eq!(status(None, 404).await, 404);
    }

    #[tokio::test]
    async fn an_answer_is_one_whole_message() {
        for body in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x03ok", b"\0\0\0\0\0\0", b"\x01\0\0\0\0", b"<html>"] {
            let answer = Response::builder().header("grpc-status", "0").body(Full::new(Bytes::from_static(body)));
            assert!(read(answer.unwrap(), 64).await.is_err(), "{body:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_bounded() {
        let answer = Response::new(Full::new(Bytes::from(vec![0; 65])));
        assert!(read(answer, 64).await.is_err());
    }
}
