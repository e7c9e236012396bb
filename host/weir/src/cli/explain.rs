//! `weir explain`: shows the upstream request and the losses of a request, without sending it.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::failure::{CommandError, Failure, NamedFileError};
use crate::app;
use weir_gateway::dry_run::{DryRun, Explained, check_names, explain};
use weir_types::contract::types::{Body, Header, Loss, Setting};
use weir_types::fault::{Fault, loss_kind};
use weir_types::json_mistake::JsonMistake;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The format of the request: openai.chat, anthropic.messages, gemini.generate, ...
    #[arg(long, value_name = "FORMAT")]
    from: String,
    /// The adapter of the provider: anthropic, bedrock, ...
    #[arg(long, value_name = "ADAPTER")]
    to: String,
    /// The provider's format, if its adapter has several.
    #[arg(long, value_name = "FORMAT")]
    to_format: Option<String>,
    /// The operation: chat, embeddings, count-tokens, rerank.
    #[arg(long, default_value = "chat")]
    operation: String,
    /// The provider's name for the model; by default the one in the request.
    #[arg(long)]
    model: Option<String>,
    /// An option of the provider's adapter, with a value in JSON or plain text. May be repeated.
    #[arg(long = "option", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// Asks for a stream, in formats whose path says so and not the body.
    #[arg(long)]
    stream: bool,
    /// Shows the translation even if the request would be relayed unchanged.
    #[arg(long)]
    translate: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// The configuration that names the plugins folder.
    #[arg(short, long, value_name = "FILE", env = "WEIR_CONFIG")]
    config: Option<PathBuf>,
    /// The request's body (JSON); `-` reads the standard input.
    request: PathBuf,
}

pub(super) fn run(asked: Explain) -> ExitCode {
    let as_json = asked.json;
    match answer(asked) {
        Ok(found) if as_json => super::print(&format!("{:#}", shown(&found))),
        Ok(found) => super::print(&page(&found)),
        Err(failure) => return failure.report(),
    }
    ExitCode::SUCCESS
}

/// Why a request cannot be explained.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    /// An option of the adapter has no value.
    #[error("`{0}` is not KEY=VALUE")]
    Option(String),
    /// A format, an adapter or an operation that is not there.
    #[error("{fault}\n\n{}", super::usage("explain"))]
    Name {
        #[source]
        fault: Fault,
    },
    /// The request cannot be translated.
    #[error(transparent)]
    Refused(Fault),
}

impl CommandError for ExplainError {
    fn is_of_usage(&self) -> bool {
        matches!(self, Self::Option(_) | Self::Name { .. })
    }
}

fn answer(asked: Explain) -> Result<Explained, Failure> {
    let config = super::load(asked.config.as_deref())?;
    let plugins = app::load_plugins(&config)?;
    app::require_adapters(&config, &plugins)?;
    let serving = app::derive(&config, &plugins)?;
    let body = Bytes::from(read(&asked.request)?);
    let question = DryRun {
        options: asked.options.iter().map(|text| option(text)).collect::<Result<_, _>>()?,
        from: asked.from,
        operation: asked.operation,
        to: asked.to,
        to_format: asked.to_format,
        model: asked.model,
        translate: asked.translate,
        resume: false,
        capabilities: None,
        stream: asked.stream,
        body,
    };
    let runtime = super::runtime()?;
    check_names(&serving, &question).map_err(|fault| ExplainError::Name { fault })?;
    Ok(runtime.block_on(explain(&serving, &question)).map_err(ExplainError::Refused)?)
}

/// A request's file is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("{}: {mistake}", file.display())]
pub(super) struct NoRequest {
    file: PathBuf,
    #[source]
    mistake: JsonMistake,
}

impl CommandError for NoRequest {
    const IS_OF_USAGE: bool = true;
}

/// The bytes of a request's body, which is JSON; `-` is the standard input.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    read.map_err(NamedFileError::at(file))?;
    let is_json = serde_json::from_slice::<IgnoredAny>(&bytes);
    is_json.map_err(|error| NoRequest { file: file.to_owned(), mistake: JsonMistake::from(&error) })?;
    Ok(bytes)
}

/// Parses `KEY=VALUE`; a value that is not JSON is a text.
fn option(text: &str) -> Result<Setting, ExplainError> {
    let (key, value) = text.split_once('=').ok_or_else(|| ExplainError::Option(text.to_owned()))?;
    let json = match serde_json::from_str::<Value>(value) {
        Ok(_) => value.to_owned(),
        Err(_) => Value::from(value).to_string(),
    };
    Ok(Setting { key: key.to_owned(), json })
}

fn page(found: &Explained) -> String {
    let mut page = match &found.translated {
        None => format!("relayed as it is ({})\n", found.format),
        Some(why) => format!("translated to {}: {why}\n", found.format),
    };
    let request = &found.request;
    let query: Vec<String> = request.query.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let _ = writeln!(page, "\n{} {}{query}", request.method, request.path);
    for Header { name, value } in &request.headers {
        let _ = writeln!(page, "{name}: {value}");
    }
    let _ = writeln!(page, "\n{:#}\n", body(&request.body));
    if found.losses.is_empty() {
        page.push_str("nothing is lost");
    }
    for loss in &found.losses {
        let note = loss.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let _ = writeln!(page, "{} `{}`{note}", loss_kind(loss.kind), loss.field);
    }
    page
}

fn shown(found: &Explained) -> Value {
    let pairs = |list: &[Header]| list.iter().map(|one| json!([one.name, one.value])).collect::<Vec<_>>();
    let loss = |loss: &Loss| json!({"field": loss.field, "kind": loss_kind(loss.kind), "note": loss.note});
    json!({
        "lane": if found.translated.is_some() { "translate" } else { "relay" },
        "reason": found.translated,
        "format": found.format,
        "request": {
            "method": found.request.method,
            "path": found.request.path,
            "query": pairs(&found.request.query),
            "headers": pairs(&found.request.headers),
            "body": body(&found.request.body),
        },
        "losses": found.losses.iter().map(loss).collect::<Vec<_>>(),
    })
}

fn body(body: &Body) -> Value {
    let text = match body {
        Body::Text(text) => std::borrow::Cow::Borrowed(text.as_str()),
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes),
    };
    serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::LossKind;

    #[test]
    fn options_are_json_or_plain_text() {
        let json = |text: &str| option(text).map(|setting| setting.json);
        assert_eq!(json("region=us-east-1").unwrap(), "\"us-east-1\"");
        assert_eq!(json("deep=true").unwrap(), "true");
        assert!(json("nothing").is_err());
    }

    #[test]
    fn the_ledger_is_printed_in_words() {
        let losses = vec![Loss { field: "seed".into(), kind: LossKind::Dropped, note: Some("no such field".into()) }];
        let request = weir_types::contract::types::HttpRequest {
            method: "POST".into(),
            path: "talk".into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Text("{}".into()),
        };
        let found = Explained { translated: Some("why".into()), format: "zeta".into(), request, losses };
        let page = page(&found);
        assert!(page.contains("POST talk") && page.contains("dropped `seed` (no such field)"), "{page}");
        assert_eq!(shown(&found)["losses"][0]["field"], "seed");
    }
}
