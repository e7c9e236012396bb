//! Guards judge requests in every format and lane alike.

mod answer_shapes;
mod answers;
mod attack;
mod beside;
mod chain;
mod ends;
mod evasion;
pub(crate) mod everywhere;
mod gathered;
mod hostile;
mod invisible;
mod over_grpc;
mod proof;
pub(crate) mod requests;
mod restore;
mod screened;
mod shapes;
mod swaps;
mod unchanged;
mod unread;
mod webhook;
mod withdrawn;

use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::OPENAI;

/// Something that looks like an AWS access key, put together so that this file contains none.
pub(crate) fn secret() -> String {
    format!("AKIA{}", "ABCD2345".repeat(2))
}

/// A gateway with all formats and guards, whose models `NAME` and `NAME-t` (always translated) lead to the upstream.
pub(crate) async fn gateway(upstream: &Upstream, names: &[&str], guards: &str) -> Gateway {
    let models = |name: &&str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
             retry = {{ max_retries = 0 }}\n{}\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{name}\" }}\n",
            upstream.url(),
            if *name == "bedrock" { "auth = \"bearer\"\nregion = \"eu-central-1\"\n" } else { "" },
        )
    };
    let config: String = names.iter().map(models).collect();
    let folder = [names, &["secrets", "regex", "pii", "prompt-shape", "sentry"]].concat();
    Gateway::with(Folder::with(&folder), &format!("{config}{guards}")).await
}

/// A guard that sees requests, with these further lines.
pub(crate) fn guard(name: &str, lines: &str) -> String {
    format!("[[guards]]\nname = \"{name}\"\ndeadline = \"20s\"\ngrants = {{ prompt = true }}\n{lines}\n")
}

/// A guard that sees requests and answers, with these further lines.
pub(crate) fn seeing(name: &str, lines: &str) -> String {
    guard(name, lines).replace("prompt = true", "prompt = true, answer = true")
}

/// A request in OpenAI's format with this text.
pub(crate) fn asks(model: &str, text: &str) -> Request {
    let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": text}]});
    Request::post("/v1/chat/completions", body.to_string())
}

/// An upstream that gives OpenAI's usual answer.
pub(crate) async fn upstream() -> Upstream {
    Upstream::always(Answer::json(200, OPENAI.whole())).await
}
