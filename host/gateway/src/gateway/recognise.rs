//! Finds the face that a request calls.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, header};

use super::unknown::{self, Unrecognised};
use crate::serving::Serving;
use weir_translate::dialect::endpoints::{Endpoint, Head, Lookup};
use weir_translate::dialect::path::PathParams;
use weir_types::fault::Fault;

/// The endpoint that a request calls, and the values of its path's parameters.
pub(super) struct EndpointCall {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) path_params: PathParams,
}

/// Finds the face that a request calls, or an error in the format of the likeliest endpoint.
pub(super) fn recognise(serving: &Serving, head: &Parts) -> Result<EndpointCall, Unrecognised> {
    let about = Head { headers: &head.headers, query: head.uri.query().unwrap_or_default() };
    let path = head.uri.path();
    let mut found = serving.endpoints.find(&head.method, path, &about);
    // Clients of sessions add their path to a base url that ends in a slash, where the services that they are made for
    // take both slashes for one.
    if matches!(found, Lookup::Unknown) && path.contains("//") && head.headers.contains_key(header::UPGRADE) {
        let single: String = path.split('/').filter(|segment| !segment.is_empty()).flat_map(|it| ["/", it]).collect();
        found = serving.endpoints.find(&head.method, &single, &about);
    }
    match found {
        Lookup::Found(endpoint, path_params) => Ok(EndpointCall { endpoint, path_params }),
        Lookup::WrongMethod(endpoint, methods) => {
            // Where the verb is known, only the method is wrong.
            let is_verb = endpoint.face.path.rsplit_once("}:").is_some_and(|(_, verb)| path.ends_with(verb));
            if !is_verb && let Some(unrecognised) = unknown::verb(serving, head) {
                return Err(unrecognised);
            }
            let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
            let message = format!("{} is not served here, but {} is", head.method, names.join(", "));
            let fault = Fault::invalid(message).with_status(405).with_code("method_not_allowed");
            Err(Unrecognised { fault, methods: methods.into(), nearest: Some(endpoint) })
        }
        Lookup::Unknown => Err(unknown::explain(serving, head)),
    }
}
