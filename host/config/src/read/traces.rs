//! `[traces]`.

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::super::secret::Secret;
use super::super::settings::Traces;
use super::super::{Place, Problem};
use super::Section;

pub(super) fn traces(mut section: Section<'_>) -> Option<Traces> {
    if !section.has("endpoint") {
        section.missing("endpoint", "the address of a collector, such as \"http://127.0.0.1:4318\"");
    }
    let endpoint = section.text("endpoint").and_then(|text| match endpoint(&text.value) {
        Ok(()) => Some(text.value),
        Err(reason) => {
            section.reader.report(Problem::error(&text.place, format!("`endpoint` {reason}")));
            None
        }
    });
    let headers = section.secret("headers").map(|secret| headers(&section, &secret.value, &secret.place));
    let place = section.table.get("sample").map(|member| member.node.place.clone());
    let sample = section.number("sample").unwrap_or(1.0);
    if sample > 1.0 {
        section.reader.report(Problem::error(&place.unwrap_or_default(), "`sample` must be at most 1: it is a share"));
    }
    let service = section.text("service").map_or_else(|| "weir".to_owned(), |text| text.value);
    section.finish();
    Some(Traces { endpoint: endpoint?, headers: headers.unwrap_or_default(), sample, service })
}

fn endpoint(text: &str) -> Result<(), &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is no address")?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|_| is_http).ok_or("must begin with http:// or https:// and name a host")?;
    if authority.as_str().contains('@') || uri.query().is_some() {
        return Err("may hold neither a password nor a query; put credentials into `headers`");
    }
    Ok(())
}

/// `name=value,name=value` (OpenTelemetry Protocol Exporter, "Specifying headers via environment variables").
fn headers(section: &Section<'_>, secret: &Secret, place: &Place) -> Vec<(String, Secret)> {
    let pairs = secret.expose().split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read: Option<Vec<_>> = pairs.map(header).collect();
    read.unwrap_or_else(|| {
        let problem = Problem::error(place, "`headers` holds something else than `name=value,name=value`");
        section.reader.report(problem.with_help("values are percent-encoded: a comma is %2C"));
        Vec::new()
    })
}

fn header(pair: &str) -> Option<(String, Secret)> {
    let (name, value) = pair.split_once('=')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    HeaderValue::try_from(&*value).ok()?;
    Some((name.as_str().to_owned(), Secret::new(&*value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let (name, value) = header("Authorization = Basic%20YTpi%2C=").unwrap();
        assert_eq!((name.as_str(), value.expose()), ("authorization", "Basic YTpi,="));
        for pair in ["nothing", "=x", "a b=c", "a=%0a", "a=%ff"] {
            assert!(header(pair).is_none(), "{pair}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_without_credentials() {
        for text in ["http://127.0.0.1:4318", "https://collector.internal/otlp/"] {
            assert_eq!(endpoint(text), Ok(()), "{text}");
        }
        for text in ["127.0.0.1:4318", "grpc://host", "http://user:word@host", "http://host/?key=1", ""] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }
}
