//! The upstream request and its losses, without sending it.

use bytes::Bytes;
use weir::app::load_plugins;
use weir_config::{Config, Environment};
use weir_gateway::dry_run::{DryRun, Explained, check_names, explain};
use weir_gateway::serving::Serving;
use weir_tests::Folder;
use weir_tests::plugins::target;
use weir_types::contract::types::{Body, Setting};

async fn explained(from: &str, to: &str, body: &str, change: impl Fn(&mut DryRun)) -> Result<Explained, String> {
    let folder = Folder::with(&["openai", "anthropic"]);
    let place = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let settings = [
        ("WEIR_SERVER__MAX_CONNECTIONS", "64".to_owned()),
        ("WEIR_PLUGINS__DIR", place(folder.path().to_owned())),
        ("WEIR_PLUGINS__LOCK", place(folder.path().join("plugins.lock"))),
        ("WEIR_PLUGINS__CACHE_DIR", place(target().join("test-cache"))),
    ];
    let config = Config::parse("test.toml", "", folder.path(), settings.into_iter().collect::<Environment>())
        .map_err(|problems| problems.render(false))?;
    let load = move || (load_plugins(&config).map_err(|error| error.to_string()), config);
    let (plugins, config) = tokio::task::spawn_blocking(load).await.map_err(|error| error.to_string())?;
    let plugins = plugins?;
    let serving = Serving::derive(&config, plugins.snapshot()).map_err(|error| error.to_string())?;
    let mut question = DryRun {
        from: from.into(),
        operation: "chat".into(),
        to: to.into(),
        to_format: None,
        model: None,
        options: Vec::new(),
        translate: false,
        resume: false,
        capabilities: None,
        stream: false,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    change(&mut question);
    check_names(&serving, &question).map_err(|fault| fault.to_string())?;
    explain(&serving, &question).await.map_err(|fault| fault.to_string())
}

const ASKED: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"seed":7}"#;

fn sent(found: &Explained) -> serde_json::Value {
    let Body::Text(text) = &found.request.body else { panic!("the body is text") };
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_translation_is_shown_with_its_ledger() {
    let found = explained("openai.chat", "anthropic", ASKED, |one| one.model = Some("claude".into())).await.unwrap();
    assert_eq!((found.format.as_str(), found.request.path.as_str()), ("anthropic.messages", "messages"));
    assert!(found.translated.is_some());
    assert_eq!(sent(&found)["model"], "claude");
    assert!(found.losses.iter().any(|loss| loss.field == "seed"), "{:?}", found.losses);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_relayed_is_shown_as_it_is_unless_the_translation_is_asked_for() {
    let found = explained("openai.chat", "openai", ASKED, |_| {}).await.unwrap();
    assert_eq!((found.translated, found.request.path.as_str()), (None, "chat/completions"));
    assert_eq!(found.request.body, Body::Text(ASKED.into()));
    let found = explained("openai.chat", "openai", ASKED, |one| one.translate = true).await.unwrap();
    assert!(found.translated.is_some());
    assert_eq!(sent(&found)["seed"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unexplainable_request_is_refused_with_the_alternatives() {
    let error = explained("zeta.scroll", "openai", ASKED, |_| {}).await.unwrap_err();
    assert!(error.contains("openai.chat"), "{error}");
    let error = explained("openai.chat", "nobody", ASKED, |_| {}).await.unwrap_err();
    assert!(error.contains("anthropic, openai"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_that_the_adapter_does_not_have_is_refused() {
    let with = |key: &str, json: &str| Setting { key: key.to_owned(), json: json.to_owned() };
    for (to, option, why) in [
        (
            "anthropic",
            with("max_token", "64"),
            "the adapter `anthropic` has no option `max_token`; did you mean `max_tokens`?",
        ),
        ("anthropic", with("max_tokens", "\"many\""), "`max_tokens`"),
        ("openai", with("colour", "1"), "the adapter `openai` has no option `colour`"),
    ] {
        let error = explained("openai.chat", to, ASKED, |one| one.options = vec![option.clone()]).await.unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let found = explained("openai.chat", "anthropic", ASKED, |one| one.options = vec![with("max_tokens", "64")]).await;
    assert_eq!(sent(&found.unwrap())["max_tokens"], 64);
}
