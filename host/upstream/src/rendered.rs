//! Checks what adapters render against the rules of HTTP and a target's url.

use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use weir_types::contract::types::{Header, HttpRequest, HttpResponse};

use super::origin::{Address, Base, OriginError};

/// What HTTP or the target's url forbids in a rendered request.
#[derive(Debug, thiserror::Error)]
pub enum RenderedError {
    /// The target's url does not allow the address.
    #[error(transparent)]
    Address(#[from] OriginError),
    /// Its method is none of HTTP.
    #[error("not a method")]
    Method,
    /// Its method is for proxies.
    #[error("a method that asks for no answer")]
    Proxy,
    /// A header's name or value is not valid.
    #[error("a header that HTTP does not allow")]
    Header,
}

/// Validates a rendered request and adds its headers to `headers`.
pub fn admit(
    base: &Base,
    request: &HttpRequest,
    origin: Option<&str>,
    headers: &mut HeaderMap,
) -> Result<(Method, Address), RenderedError> {
    let query = request.query.iter().map(|pair| (pair.name.as_str(), pair.value.as_str()));
    let address = match origin {
        None => base.join(&request.path, query),
        Some(origin) => base.follow(origin, &request.path, query),
    };
    let address = address?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| RenderedError::Method)?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(RenderedError::Proxy);
    }
    for header in &request.headers {
        set(headers, header).ok_or(RenderedError::Header)?;
    }
    Ok((method, address))
}

/// Why a rendered request could not be sent to any provider; `None` if it could.
pub fn unsendable(request: &HttpRequest) -> Option<String> {
    let base = Base::open("https://provider.example/v1/", &[], false).ok()?;
    Some(admit(&base, request, None, &mut HeaderMap::new()).err()?.to_string())
}

/// Why a rendered answer could not be returned; `None` if it could.
pub fn unanswerable(answer: &HttpResponse) -> Option<String> {
    if !is_answer(answer.status) {
        return Some(format!("the status {} of an answer with a body", answer.status));
    }
    let wrong = answer.headers.iter().find(|header| set(&mut HeaderMap::new(), header).is_none());
    wrong.map(|_| "a header that HTTP does not allow".to_owned())
}

/// Whether an answer with a body may have this status.
pub fn is_answer(status: u16) -> bool {
    matches!(status, 200..=203 | 400..=599)
}

fn set(headers: &mut HeaderMap, header: &Header) -> Option<()> {
    let name = HeaderName::try_from(header.name.as_str()).ok()?;
    let value = HeaderValue::try_from(header.value.as_str()).ok()?;
    headers.insert(name, value);
    Some(())
}
