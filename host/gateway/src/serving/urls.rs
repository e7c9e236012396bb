//! Warns of urls that are no base of an API: what an adapter adds to them leads nowhere.

use super::targets::suggested_address;
use weir_config::{Address, BaseUrl, Environment, Problem, Provider};
use weir_sandbox::Adapter;
use weir_types::contract::about::Operation;

/// Warns of a url that ends with an endpoint, which the adapter adds itself, and of one without the path that the
/// adapter suggests for this server.
pub(super) fn no_base(provider: &Provider, adapter: &Adapter, environment: &Environment) -> Option<Problem> {
    let Some(Address::Http(url)) = &provider.address else { return None };
    let place = provider.places.url.or(&provider.places.name);
    let served = adapter.manifest.accepts.iter().filter(|one| asks_a_model(&one.operation));
    if let Some((base, endpoint)) = without_endpoint(url, served.map(|one| one.path.as_str())) {
        let (name, adapter) = (&provider.name, &adapter.name);
        let message = format!("the url of the provider `{name}` ends with `{endpoint}`, which `{adapter}` adds itself");
        return Some(Problem::warning(&place, message).with_help(format!("set `url = \"{base}\"`")));
    }
    let Some(Address::Http(usual)) = suggested_address(adapter, provider, environment) else { return None };
    if url.path() != "/" || usual.path() == "/" || usual.origin() != url.origin() {
        return None;
    }
    let message = format!("the url of the provider `{}` lacks the path of its API, {}", provider.name, usual.path());
    Some(Problem::warning(&place, message).with_help(format!("set `url = \"{usual}\"`")))
}

/// Whether requests of an operation ask a model. The paths of others, such as `models`, may also be those of a base.
fn asks_a_model(operation: &Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::Embeddings | Operation::Rerank)
}

/// The url without the longest of these paths that it ends with, and what was left out.
fn without_endpoint<'p>(url: &BaseUrl, paths: impl Iterator<Item = &'p str>) -> Option<(String, String)> {
    let steps: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    let length = paths.filter(|path| ends_with(&steps, path)).map(|path| path.split('/').count()).max()?;
    let (base, endpoint) = steps.split_at_checked(steps.len().checked_sub(length)?)?;
    let slash = if base.is_empty() { "" } else { "/" };
    Some((format!("{}://{}/{}{slash}", url.scheme(), url.authority(), base.join("/")), endpoint.join("/")))
}

/// Whether a path ends with another one, in which placeholders stand for any text. One that ends with a placeholder
/// could be anything.
fn ends_with(steps: &[&str], path: &str) -> bool {
    let wanted: Vec<&str> = path.split('/').collect();
    let last = steps.len().checked_sub(wanted.len()).and_then(|first| steps.get(first..));
    let is_step = |(step, wanted): (&&str, &&str)| match wanted.split_once('{') {
        None => step == wanted,
        Some((before, rest)) => {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            step.len() > before.len() + after.len() && step.starts_with(before) && step.ends_with(after)
        }
    };
    !path.is_empty() && !path.ends_with('}') && last.is_some_and(|last| last.iter().zip(&wanted).all(is_step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_at_the_end_of_a_url_is_found_and_left_out() {
        let paths =
            ["completions", "chat/completions", "deployments/{model}/embeddings", "models/{model}:generate", "{id}"];
        let split = |url: &str| without_endpoint(&BaseUrl::parse(url).unwrap(), paths.into_iter());
        for (url, base, endpoint) in [
            ("https://a/v1/chat/completions", "https://a/v1/", "chat/completions"),
            ("https://a/v1/completions/", "https://a/v1/", "completions"),
            ("http://a:8000/chat/completions", "http://a:8000/", "chat/completions"),
            ("https://a/deployments/gpt/embeddings", "https://a/", "deployments/gpt/embeddings"),
            ("https://a/v1/models/m-1:generate", "https://a/v1/", "models/m-1:generate"),
        ] {
            assert_eq!(split(url), Some((base.to_owned(), endpoint.to_owned())), "{url}");
        }
        for url in
            ["https://a", "https://a/v1/", "https://a/chat/", "https://a/my-completions", "https://a/models/:generate"]
        {
            assert_eq!(split(url), None, "{url}");
        }
    }
}
