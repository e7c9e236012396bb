//! Secrets: `env:NAME`, `file:PATH`, or the text itself.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use super::super::raw::Node;
use super::super::{Environment, Options, Place, Problem, Secret};
use super::{Located, Section};

/// The largest file that a secret is read from.
const LARGEST_FILE: u64 = 64 << 10;

impl Section<'_> {
    /// A secret.
    pub(super) fn secret(&mut self, name: &'static str) -> Option<Located<Secret>> {
        let node = self.take(name)?;
        self.secret_of(name, node)
    }

    /// Several secrets, of which those that cannot be had are reported and left out.
    pub(super) fn secrets(&mut self, name: &'static str) -> Option<Located<Vec<Secret>>> {
        let list = self.list(name)?;
        if list.value.is_empty() {
            self.reader.report(Problem::error(&list.place, format!("`{name}` must not be empty")));
        }
        let secrets = list.value.into_iter().filter_map(|node| self.secret_of(name, node));
        Some(Located { value: secrets.map(|secret| secret.value).collect(), place: list.place })
    }

    /// `api_key`, or `api_keys`.
    pub(super) fn keys(&mut self) -> Located<Vec<Secret>> {
        let one = self.secret("api_key");
        let Some(several) = self.secrets("api_keys") else {
            let place = one.as_ref().map(|one| one.place.clone()).unwrap_or_default();
            return Located { value: one.into_iter().map(|one| one.value).collect(), place };
        };
        if one.is_some() {
            let problem = Problem::error(&several.place, "both `api_key` and `api_keys` are given");
            self.reader.report(problem.with_help("put all of them into `api_keys`"));
        }
        several
    }

    /// `auth` as a member of the options, where it may stand as well.
    pub(super) fn auth(&mut self, options: &mut Options, has_key: bool) {
        if let Some(auth) = self.text("auth") {
            if options.auth().is_some_and(|other| other != auth.value) {
                let problem = Problem::error(&auth.place, "both `auth` and the option `auth` are given");
                self.reader.report(problem.with_help("keep one of them"));
            }
            options.set_auth(auth.value, auth.place);
        }
        if options.is_without_auth() && has_key {
            let problem =
                Problem::error(&options.place_of("/auth"), "a key is given, but `auth = \"none\"` sends none");
            self.reader.report(problem.with_help("keep one of them"));
        }
    }

    fn secret_of(&self, name: &str, node: Node) -> Option<Located<Secret>> {
        let text = self.text_of(name, node)?;
        match resolve(text.value.trim(), self.reader.folder, self.reader.environment) {
            Ok(secret) => {
                self.warn_of_literal(name, &text);
                Some(Located { value: secret, place: text.place })
            }
            Err((message, help)) => {
                let problem = Problem::error(&text.place, format!("`{name}`: {message}"));
                self.reader.report(problem.with_help(help));
                None
            }
        }
    }

    fn warn_of_literal(&self, name: &str, text: &Located<String>) {
        let literal = !text.value.trim().starts_with("env:") && !text.value.trim().starts_with("file:");
        if literal && matches!(text.place, Place::File(_)) {
            let problem = Problem::warning(&text.place, format!("`{name}` stands in the file itself"));
            self.reader.report(problem.with_help("write \"env:NAME\" or \"file:PATH\" to keep it out"));
        }
    }
}

/// The secret that a text means, or what is wrong and what to do.
fn resolve(text: &str, folder: &Path, environment: &Environment) -> Result<Secret, (String, &'static str)> {
    let secret = if let Some(variable) = text.strip_prefix("env:") {
        from_variable(variable.trim(), environment)?
    } else if let Some(path) = text.strip_prefix("file:") {
        from_file(path.trim(), folder)?
    } else {
        Secret::new(text)
    };
    let secret = on_one_line(secret);
    // Such a key could not be sent in a header, and would let a value add headers of its own.
    if secret.expose().chars().any(char::is_control) {
        return Err(("the secret holds a line break or another control character".to_owned(), "a secret is one line"));
    }
    Ok(secret)
}

/// A key that is a JSON object may be of several lines: they mean nothing in JSON.
fn on_one_line(secret: Secret) -> Secret {
    if !secret.expose().starts_with('{') {
        return secret;
    }
    let object: Result<Map<String, Value>, _> = serde_json::from_str(secret.expose());
    object.map_or(secret, |object| Secret::new(Value::Object(object).to_string()))
}

fn from_variable(name: &str, environment: &Environment) -> Result<Secret, (String, &'static str)> {
    if name.is_empty() || name.contains(['$', '{', '=']) {
        return Err(("`env:` needs a variable's name behind it".to_owned(), "for example \"env:PROVIDER_API_KEY\""));
    }
    environment.secret(name).ok_or_else(|| {
        (format!("the environment variable `{name}` is not set"), "set it, or leave the key out where none is needed")
    })
}

fn from_file(path: &str, folder: &Path) -> Result<Secret, (String, &'static str)> {
    const HELP: &str = "a relative path is taken from the configuration's folder";
    if path.is_empty() {
        return Err(("`file:` needs a path behind it".to_owned(), "for example \"file:/run/secrets/provider\""));
    }
    let path = folder.join(path);
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err((format!("cannot read `{}`: {error}", path.display()), HELP)),
        Ok(length) if length as u64 > LARGEST_FILE => {
            Err((format!("`{}` is larger than {LARGEST_FILE} bytes", path.display()), "a secret is one line"))
        }
        Ok(_) if text.trim().is_empty() => Err((format!("`{}` is empty", path.display()), "a secret is one line")),
        Ok(_) => Ok(Secret::new(text.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, folder: &Path) -> Result<String, String> {
        let environment = Environment::from_iter([("KEY", " sk-1\n"), ("EMPTY", ""), ("TWO", "a\nb")]);
        resolve(text, folder, &environment).map(|secret| secret.expose().to_owned()).map_err(|(message, _)| message)
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
