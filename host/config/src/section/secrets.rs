//! Secrets: `env:NAME`, `file:PATH`, or the text itself.

use std::path::Path;

use serde_json::{Map, Value};

use super::take::list;
use super::{Entry, Located, Take};
use crate::raw::{self, Node};
use crate::secret_file::{self, MAX_SECRET_FILE_BYTES, SecretFile};
use crate::{Environment, Place, Problem, Secret};

impl Take for Secret {
    type Value = Self;
    const TAKES: &'static str = "secret";
    const LIST: &'static str = "list of secrets";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let reader = entry.reader();
        let mut file = None;
        let resolved = resolve(text.value.trim(), reader.folder, reader.environment, &mut file);
        reader.secret_files.borrow_mut().extend(file);
        match resolved {
            Ok(secret) => {
                warn_of_literal(entry, &text);
                Some(secret)
            }
            Err(Unresolved { message, is_absent: true, .. }) if reader.environment.leaves_secrets_out() => {
                let problem = Problem::warning(&text.place, format!("`{}`: {message}", entry.name));
                reader.report(problem.with_help("it is left out here; a start needs it"));
                None
            }
            Err(Unresolved { message, help, .. }) => {
                entry.error_with(&text.place, format!("`{}`: {message}", entry.name), help);
                None
            }
        }
    }

    fn example() -> String {
        "\"env:KEY\"".to_owned()
    }
}

fn warn_of_literal(entry: &Entry<'_, '_>, text: &Located<String>) {
    let literal = !text.value.trim().starts_with("env:") && !text.value.trim().starts_with("file:");
    if literal && matches!(text.place, Place::File(_)) {
        let problem = Problem::warning(&text.place, format!("`{}` stands in the file itself", entry.name));
        entry.reader().report(problem.with_help("write \"env:NAME\" or \"file:PATH\" to keep it out"));
    }
}

/// An address that may hold a password: `env:NAME`, `file:PATH`, or the address itself, with its place.
#[derive(Debug)]
pub(crate) struct SecretUrl;

impl Take for SecretUrl {
    type Value = Located<Secret>;
    const TAKES: &'static str = "url";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Located<Secret>> {
        let Located { value, place } = Located::<String>::take(entry, node)?;
        let written = value.trim();
        if written.starts_with("env:") || written.starts_with("file:") {
            let node = Node { value: raw::Value::Text(written.to_owned()), place: place.clone() };
            return Some(Located { value: Secret::take(entry, node)?, place });
        }
        warn_of_password(entry, &place, written);
        Some(Located { value: Secret::new(written), place })
    }

    fn example() -> String {
        "\"https://USER:PASSWORD@example.com\"".to_owned()
    }
}

fn warn_of_password(entry: &Entry<'_, '_>, place: &Place, text: &str) {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if has_password && matches!(place, Place::File(_)) {
        let problem = Problem::warning(place, format!("the password in `{}` stands in the file itself", entry.name));
        entry.reader().report(problem.with_help("write \"env:NAME\" or \"file:PATH\" to keep it out"));
    }
}

/// Secrets, at least one. Secrets that cannot be read are reported and left out.
#[derive(Debug)]
pub(crate) struct SeveralSecrets;

impl Take for SeveralSecrets {
    type Value = Vec<Secret>;
    const TAKES: &'static str = Secret::LIST;

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Vec<Secret>> {
        let place = node.place.clone();
        let list = list(entry, node)?;
        if list.is_empty() {
            entry.error(&place, format!("`{}` must not be empty", entry.name));
        }
        Some(list.into_iter().filter_map(|node| Secret::take(entry, node)).collect())
    }

    fn example() -> String {
        Vec::<Secret>::example()
    }
}

/// Why a text stands for no secret.
#[derive(Debug)]
struct Unresolved {
    message: String,
    help: &'static str,
    /// Whether the secret may be there elsewhere: a variable is not set, or a file cannot be read.
    is_absent: bool,
}

impl Unresolved {
    fn wrong(message: impl Into<String>, help: &'static str) -> Self {
        Self { message: message.into(), help, is_absent: false }
    }

    fn absent(message: String, help: &'static str) -> Self {
        Self { is_absent: true, ..Self::wrong(message, help) }
    }
}

/// The secret that a text stands for, or a message with a remedy. If it stands in a file, that is set, readable or not.
fn resolve(
    text: &str,
    folder: &Path,
    environment: &Environment,
    file: &mut Option<SecretFile>,
) -> Result<Secret, Unresolved> {
    let secret = if let Some(variable) = text.strip_prefix("env:") {
        from_variable(variable.trim(), environment)?
    } else if let Some(path) = text.strip_prefix("file:") {
        from_file(path.trim(), folder, file)?
    } else {
        Secret::new(text)
    };
    let secret = on_one_line(secret);
    // A key with control characters could not be sent in a header, and would let a value add headers.
    if secret.expose().chars().any(char::is_control) {
        let message = "the secret holds a line break or another control character";
        return Err(Unresolved::wrong(message, "a secret is one line"));
    }
    Ok(secret)
}

/// A key that is a JSON object may have several lines: line breaks mean nothing in JSON.
fn on_one_line(secret: Secret) -> Secret {
    if !secret.expose().starts_with('{') {
        return secret;
    }
    let object: Result<Map<String, Value>, _> = serde_json::from_str(secret.expose());
    object.map_or(secret, |object| Secret::new(Value::Object(object).to_string()))
}

fn from_variable(name: &str, environment: &Environment) -> Result<Secret, Unresolved> {
    if name.is_empty() || name.contains(['$', '{', '=']) {
        let message = "`env:` needs a variable's name behind it";
        return Err(Unresolved::wrong(message, "for example \"env:PROVIDER_API_KEY\""));
    }
    environment.secret(name).ok_or_else(|| {
        let message = format!("the environment variable `{name}` is not set");
        Unresolved::absent(message, "set it, or leave the key out where none is needed")
    })
}

fn from_file(path: &str, folder: &Path, file: &mut Option<SecretFile>) -> Result<Secret, Unresolved> {
    const HELP: &str = "a relative path is taken from the configuration's folder";
    if path.is_empty() {
        let message = "`file:` needs a path behind it";
        return Err(Unresolved::wrong(message, "for example \"file:/run/secrets/provider\""));
    }
    let path = folder.join(path);
    let shown = path.display();
    let read = secret_file::read(&path);
    *file = Some(SecretFile::new(path.clone(), read.as_deref().ok()));
    let bytes = read.map_err(|error| Unresolved::absent(format!("cannot read `{shown}`: {error}"), HELP))?;
    if bytes.len() as u64 > MAX_SECRET_FILE_BYTES {
        let message = format!("`{shown}` is larger than {MAX_SECRET_FILE_BYTES} bytes");
        return Err(Unresolved::wrong(message, "a secret is one line"));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Unresolved::wrong(format!("`{shown}` is not text: it is not UTF-8"), "a secret is one line"));
    };
    if text.trim().is_empty() {
        return Err(Unresolved::wrong(format!("`{shown}` is empty"), "a secret is one line"));
    }
    Ok(Secret::new(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, folder: &Path) -> Result<String, String> {
        let environment = Environment::from_iter([("KEY", " sk-1\n"), ("EMPTY", ""), ("TWO", "a\nb")]);
        let resolved = resolve(text, folder, &environment, &mut None);
        resolved.map(|secret| secret.expose().to_owned()).map_err(|unresolved| unresolved.message)
    }

    #[test]
    fn secrets_come_from_variables_trimmed() {
        let folder = Path::new("");
        assert_eq!(resolved("env:KEY", folder).as_deref(), Ok("sk-1"));
        assert_eq!(resolved("plain", folder).as_deref(), Ok("plain"));
        assert_eq!(resolved("env:NONE", folder), Err("the environment variable `NONE` is not set".to_owned()));
        for text in ["env:EMPTY", "env:", "env:TWO", "env:${KEY}", "file:"] {
            assert!(resolved(text, folder).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_come_from_files_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "sk-2\n").unwrap();
        std::fs::write(folder.path().join("json"), "{\n  \"a\": \"b\\nc\"\n}\n").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        std::fs::write(folder.path().join("large"), "x".repeat(65 << 10)).unwrap();
        std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
        assert_eq!(resolved("file:key", folder.path()).as_deref(), Ok("sk-2"));
        assert_eq!(resolved("file:json", folder.path()).as_deref(), Ok(r#"{"a":"b\nc"}"#));
        for text in ["file:none", "file:empty", "file:large", "file:binary", "file:."] {
            let message = resolved(text, folder.path()).unwrap_err();
            assert!(message.len() < 300 && !message.contains("xxx"), "{message}");
        }
    }
}
