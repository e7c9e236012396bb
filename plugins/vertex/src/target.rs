//! The model of a request, its publisher, and its path.

use weir_sdk::path::encoded;
use weir_sdk::types::{Context, Error};

/// The version at the beginning of every path.
const VERSION: &str = "v1";
/// The default location.
const LOCATION: &str = "global";

/// The publisher of a model, which decides its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publisher {
    Google,
    Anthropic,
}

impl Publisher {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Anthropic => "anthropic",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Google, Self::Anthropic].into_iter().find(|known| known.name() == name)
    }

    /// The publisher that the operator configured.
    pub(crate) fn configured(ctx: &Context) -> Option<Self> {
        Self::parse(&ctx.option_str("publisher")?)
    }
}

/// A model: `gemini-2.5-flash`, `anthropic/claude-sonnet-4-5@20250929`, `publishers/google/models/NAME`, the number of
/// an endpoint, or the whole name of either resource.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) publisher: Publisher,
    /// The name alone, as in the publisher's format.
    pub(crate) name: String,
    /// The path of its resource, encoded.
    resource: String,
}

impl Target {
    /// The target's model, else the one of the request.
    pub(crate) fn of(ctx: &Context, requested: &str) -> Result<Self, Error> {
        let model = if ctx.model.is_empty() { requested } else { &ctx.model };
        let named = Named::parse(model);
        let publisher = match named.publisher {
            Some(name) => Publisher::parse(name).ok_or_else(|| {
                let message = format!("models of the publisher `{name}` speak a format that this adapter has not");
                Error::unsupported("model", message)
            })?,
            None => Publisher::configured(ctx).unwrap_or_else(|| by_name(named.name)),
        };
        let name = named.name.to_owned();
        let resource = named.resource(ctx, publisher);
        Ok(Self { publisher, name, resource })
    }

    /// The path of one of the model's methods.
    pub(crate) fn method(&self, method: &str) -> String {
        format!("{}:{method}", self.resource)
    }

    /// The context for the adapter of the publisher's format.
    pub(crate) fn context(&self, ctx: &Context) -> Context {
        Context { model: self.name.clone(), ..ctx.clone() }
    }
}

/// The publisher by a model's name.
fn by_name(name: &str) -> Publisher {
    if name.contains("claude") { Publisher::Anthropic } else { Publisher::Google }
}

/// The pieces of a model's name.
struct Named<'a> {
    /// Everything before `publishers/` or `endpoints/`, if the name is that of a whole resource.
    place: Option<&'a str>,
    publisher: Option<&'a str>,
    name: &'a str,
    endpoint: bool,
}

impl<'a> Named<'a> {
    fn parse(model: &'a str) -> Self {
        let model = model.trim_matches('/');
        let (place, rest) = match model.find("/publishers/").or_else(|| model.find("/endpoints/")) {
            Some(at) if model.starts_with("projects/") => (Some(&model[..at]), &model[at + 1..]),
            _ => (None, model),
        };
        let named = |publisher, name| Self { place, publisher, name, endpoint: false };
        if let Some((publisher, name)) = rest.strip_prefix("publishers/").and_then(|rest| rest.split_once("/models/")) {
            return named(Some(publisher), name);
        }
        if let Some(name) = rest.strip_prefix("endpoints/") {
            return Self { endpoint: true, ..named(None, name) };
        }
        let rest = rest.strip_prefix("models/").unwrap_or(rest);
        match rest.split_once('/') {
            Some((publisher, name)) if !name.is_empty() => named(Some(publisher), name),
            _ => Self { endpoint: !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_digit()), ..named(None, rest) },
        }
    }

    fn resource(&self, ctx: &Context, publisher: Publisher) -> String {
        let place = match self.place {
            Some(place) => format!("{}{}/", version(ctx), encoded(place, b"/:")),
            None => place(ctx),
        };
        let name = encoded(self.name, b"@");
        if self.endpoint {
            return format!("{place}endpoints/{name}");
        }
        format!("{place}{}", published(publisher, &name))
    }
}

/// A model's resource, starting at the publisher.
fn published(publisher: Publisher, name: &str) -> String {
    format!("publishers/{}/models/{name}", publisher.name())
}

/// The beginning of every resource: version, project and location. Without a project, the url has all of it, or the key
/// implies it (express mode).
fn place(ctx: &Context) -> String {
    let Some(project) = project(ctx) else { return String::new() };
    let location = ctx.option_str("location").filter(|location| !location.is_empty());
    let location = location.unwrap_or_else(|| LOCATION.to_owned());
    format!("{}projects/{}/locations/{}/", version(ctx), encoded(&project, b":"), encoded(&location, b""))
}

fn project(ctx: &Context) -> Option<String> {
    ctx.option_str("project").filter(|project| !project.is_empty())
}

/// The version with its slash; empty if the url has it.
fn version(ctx: &Context) -> String {
    if project(ctx).is_none() {
        return String::new();
    }
    format!("{}/", ctx.option_str("version").unwrap_or_else(|| VERSION.to_owned()))
}

/// The path of a publisher's list of models, which is not below a project; only this version has it.
pub(crate) fn list(ctx: &Context, publisher: Publisher) -> String {
    let version = if project(ctx).is_some() { "v1beta1/" } else { "" };
    format!("{version}publishers/{}/models", publisher.name())
}

/// The path of one model in it.
pub(crate) fn entry(ctx: &Context, target: &Target) -> String {
    format!("{}{}", version(ctx), published(target.publisher, &encoded(&target.name, b"@")))
}

/// The path that counts the tokens of any Claude.
pub(crate) fn claude_count(ctx: &Context) -> String {
    format!("{}{}:rawPredict", place(ctx), published(Publisher::Anthropic, "count-tokens"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::Setting;

    fn context(options: &[(&str, &str)]) -> Context {
        let setting = |(key, value): &(&str, &str)| Setting { key: (*key).into(), json: format!("\"{value}\"") };
        Context { options: options.iter().map(setting).collect(), ..Context::default() }
    }

    fn path(options: &[(&str, &str)], model: &str) -> String {
        Target::of(&context(options), model).unwrap().method("m")
    }

    #[test]
    fn a_model_stands_below_its_project_and_location() {
        let options = [("project", "p"), ("location", "us-east5")];
        let google = "v1/projects/p/locations/us-east5/publishers/google/models/gemini-2.5-flash:m";
        for model in ["gemini-2.5-flash", "google/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"] {
            assert_eq!(path(&options, model), google);
        }
        let claude = "v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4@20250514:m";
        for model in ["claude-sonnet-4@20250514", "anthropic/claude-sonnet-4@20250514"] {
            assert_eq!(path(&options, model), claude);
        }
    }

    #[test]
    fn without_a_project_the_url_has_the_whole_path() {
        assert_eq!(path(&[], "gemini-2.5-flash"), "publishers/google/models/gemini-2.5-flash:m");
        assert_eq!(path(&[], "google/a b/../c:x"), "publishers/google/models/a%20b%2F..%2Fc%3Ax:m");
    }

    #[test]
    fn whole_resources_stand_for_themselves() {
        let options = [("project", "p"), ("version", "v1beta1")];
        let whole = "projects/q/locations/eu/publishers/anthropic/models/claude-opus-4-5";
        assert_eq!(path(&options, whole), format!("v1beta1/{whole}:m"));
        assert_eq!(
            path(&options, "projects/q/locations/eu/endpoints/12"),
            "v1beta1/projects/q/locations/eu/endpoints/12:m"
        );
        assert_eq!(path(&options, "12"), "v1beta1/projects/p/locations/global/endpoints/12:m");
    }

    #[test]
    fn the_publisher_is_known_by_the_name_or_from_the_operator() {
        let of = |options: &[(&str, &str)], model: &str| Target::of(&context(options), model).unwrap().publisher;
        assert_eq!(of(&[], "claude-haiku-4-5@20251001"), Publisher::Anthropic);
        assert_eq!(of(&[], "text-embedding-005"), Publisher::Google);
        assert_eq!(of(&[("publisher", "anthropic")], "1234"), Publisher::Anthropic);
        assert_eq!(of(&[("publisher", "anthropic")], "google/gemini-2.5-pro"), Publisher::Google);
        let error = Target::of(&context(&[]), "meta/llama-4-maverick").unwrap_err();
        assert_eq!(error.kind, weir_sdk::types::ErrorKind::Unsupported);
    }
}
