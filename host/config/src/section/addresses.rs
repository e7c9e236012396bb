//! Urls, origins and networks.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Entry, Located, Take};
use crate::raw::Node;
use crate::{Address, Origin, Problem};

/// Stands for the address in a variable that is not set, where nothing is sent: a name that no server has.
const LEFT_OUT: &str = "https://left-out.invalid/";

/// A provider's url; `env:NAME` stands for the value of a variable.
impl Take for Address {
    type Value = Self;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let mut text = Located::<String>::take(entry, node)?;
        let reader = entry.reader();
        if let Some(variable) = text.value.trim().strip_prefix("env:").map(str::trim) {
            let Some(value) = reader.environment.get(variable) else {
                let message = format!("`{}`: the environment variable `{variable}` is not set", entry.name);
                if reader.environment.leaves_secrets_out() && !variable.is_empty() {
                    let problem = Problem::warning(&text.place, message);
                    reader.report(problem.with_help("it is left out here; a start needs it"));
                    return Self::parse(LEFT_OUT, reader.folder).ok();
                }
                entry.error_with(&text.place, message, "set it, or write the url itself");
                return None;
            };
            text.value = value.to_owned();
        }
        let address = Self::parse(text.value.trim(), reader.folder).map_err(|error| {
            let help = "for example \"https://api.example.com/v1/\", the API's base with its version";
            entry.error_with(&text.place, format!("`{}`: {error}", entry.name), help);
        });
        if let Ok(Self::Replay { folder, .. }) = &address
            && !folder.is_dir()
        {
            let problem = Problem::warning(&text.place, format!("there is no folder `{}`", folder.display()));
            reader.report(problem.with_help("a relative path is taken from the configuration's folder"));
        }
        address.ok()
    }

    fn example() -> String {
        "\"https://api.example.com/v1/\"".to_owned()
    }
}

impl Take for Origin {
    type Value = Self;
    const TAKES: &'static str = "url";
    const LIST: &'static str = "list of urls";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let parsed = Self::parse(text.value.trim());
        parsed.map_err(|error| entry.error(&text.place, format!("`{}`: {error}", entry.name))).ok()
    }

    fn example() -> String {
        "\"https://files.example.com\"".to_owned()
    }
}

/// One address, or a network of them.
#[derive(Debug)]
pub(crate) struct Network;

impl Take for Network {
    type Value = IpNet;
    const TAKES: &'static str = "address or network";
    const LIST: &'static str = "list of addresses and networks";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<IpNet> {
        let text = Located::<String>::take(entry, node)?;
        let one = || text.value.trim().parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        let network = text.value.trim().parse::<IpNet>().or_else(|_| one());
        if network.is_err() {
            let help = "for example \"10.0.0.0/8\", \"192.0.2.1\" or \"fd00::/8\"";
            entry.error_with(
                &text.place,
                format!("`{}`: `{}` is no address and no network", entry.name, text.value),
                help,
            );
        }
        network.ok()
    }

    fn example() -> String {
        "\"10.0.0.0/8\"".to_owned()
    }
}

/// The origin of a web page as browsers write it, in lower case, or `*`.
#[derive(Debug)]
pub(crate) struct PageOrigin;

impl PageOrigin {
    fn parse(text: &str) -> Option<String> {
        let origin = text.trim().to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        let is_origin = !scheme.is_empty() && !host.is_empty() && host.bytes().all(is_of_host);
        (is_origin || origin == "*").then_some(origin)
    }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)
}

impl Take for PageOrigin {
    type Value = String;
    const TAKES: &'static str = "origin";
    const LIST: &'static str = "list of origins";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<String> {
        let text = Located::<String>::take(entry, node)?;
        let origin = Self::parse(&text.value);
        if origin.is_none() {
            let help = "scheme, host and port as browsers write them, without a path: \"https://chat.example.com\"";
            entry.error_with(&text.place, format!("`{}`: `{}` is no origin", entry.name, text.value), help);
        }
        origin
    }

    fn example() -> String {
        "\"https://chat.example.com\"".to_owned()
    }
}
