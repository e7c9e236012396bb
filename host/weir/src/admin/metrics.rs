//! The page of metrics, in the format that its reader likes best.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Operations, aside, refuse};

/// A format of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Prometheus's text.
    Text,
    /// With exemplars.
    OpenMetrics,
    /// With exemplars and native histograms.
    Protobuf,
}

impl Format {
    /// The first of those that the reader likes best; a reader that takes none of them gets text.
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::Text, 0.0);
        for (format, weight) in values.flat_map(|value| value.split(',')).filter_map(Self::offered) {
            if weight > best.1 {
                best = (format, weight);
            }
        }
        best.0
    }

    /// The format that a range of media types names, and how much the reader likes it.
    fn offered(range: &str) -> Option<(Self, f32)> {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next()?.to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters: Vec<_> =
            parameters.map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).collect();
        let parameter =
            |name| parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let format = match kind.as_str() {
            "text/plain" | "text/*" | "*/*" => Self::Text,
            "application/openmetrics-text" => Self::OpenMetrics,
            "application/vnd.google.protobuf"
                if parameter("proto") == Some("io.prometheus.client.MetricFamily")
                    && parameter("encoding") == Some("delimited") =>
            {
                Self::Protobuf
            }
            _ => return None,
        };
        Some((format, parameter("q").map_or(Some(1.0), |weight| weight.parse().ok())?))
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

/// Shows the metrics. Those of budgets and targets may be many, so no worker walks them.
pub(super) async fn page(State(operations): State<Operations>, headers: HeaderMap) -> Response {
    let format = Format::of(&headers);
    aside(move || {
        operations.gateway.note_health();
        let metrics = operations.gateway.metrics();
        let page = match format {
            Format::Text => metrics.text().map(String::into_bytes),
            Format::OpenMetrics => Ok(metrics.open_metrics().into_bytes()),
            Format::Protobuf => Ok(metrics.protobuf()),
        };
        match page {
            Ok(page) => ([(header::CONTENT_TYPE, format.content_type())], page).into_response(),
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

    fn of(accept: &str) -> Format {
        Format::of(&[(header::ACCEPT, accept.parse().unwrap())].into_iter().collect())
    }

    #[test]
    fn a_reader_gets_what_it_likes_best() {
        assert_eq!(Format::of(&HeaderMap::new()), Format::Text);
        for (accept, format) in [
            // Prometheus without and with native histograms.
            (format!("{OPEN_METRICS},text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::OpenMetrics),
            (format!("{PROTOBUF},{OPEN_METRICS};q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::Protobuf),
            (format!("{PROTOBUF};q=0.6,{OPEN_METRICS};escaping=allow-utf-8;q=0.5,text/plain;q=0.3"), Format::Protobuf),
            (format!("{PROTOBUF};q=0.5, {OPEN_METRICS}; Q=0.6, text/plain;q=0.3"), Format::OpenMetrics),
            (format!("text/plain, {OPEN_METRICS};q=0.9"), Format::Text),
            (format!("{OPEN_METRICS}, {PROTOBUF}"), Format::OpenMetrics),
            (format!("{PROTOBUF};q=0, text/*;q=0.1"), Format::Text),
            (
                "Application/Vnd.Google.Protobuf; PROTO=\"io.prometheus.client.MetricFamily\"; encoding=delimited"
                    .into(),
                Format::Protobuf,
            ),
            ("*/*".into(), Format::Text),
        ] {
            assert_eq!(of(&accept), format, "{accept}");
        }
    }

    #[test]
    fn other_messages_other_encodings_and_nonsense_are_not_taken_for_what_is_served() {
        for accept in [
            "application/vnd.google.protobuf",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
            "application/vnd.google.protobuf;proto=a.B;encoding=delimited",
            "application/openmetrics-text;q=much",
            "application/openmetrics-text;q=NaN",
            "application/json",
            ";;=,,",
            "",
        ] {
            assert_eq!(of(accept), Format::Text, "{accept}");
        }
    }
}
