//! Where limits and budgets are shared.

use super::*;

fn shared(rest: &str) -> SharedSettings {
    read(&format!("[shared]\nurl = \"valkey://cache.internal\"\n{rest}")).shared.unwrap()
}

#[test]
fn nothing_is_shared_without_the_table() {
    assert_eq!(read("").shared, None);
    let shared = shared("");
    assert_eq!(
        (shared.when_lost, shared.wait, shared.prefix.as_str()),
        (WhenLost::Share, Duration::from_millis(10), "weir")
    );
    assert_eq!(shared.url.expose(), "valkey://cache.internal");
}

#[test]
fn an_address_of_the_server_is_a_secret() {
    let text = "[shared]\nurl = \"rediss://weir:a-word@cache.internal:6380/1\"\nwhen_lost = \"closed\"";
    let config = read(text);
    assert!(!format!("{config:?}").contains("a-word") && !config.source.text().contains("a-word"));
    assert!(config.secrets().any(|secret| secret.expose().contains("a-word")));
    assert!(config.warnings.iter().any(|warning| warning.message.contains("stands in the file itself")));
    let config = read_with("[shared]\nurl = \"env:CACHE\"", &[("CACHE", "redis://:a-word@cache.internal")]).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn kept_answers_are_shared_with_a_secret_that_cannot_be_guessed() {
    let secret = "0123456789abcdef0123456789abcdef";
    let table = |secret: &str| format!("[cache]\nurl = \"redis://cache\"\nsecret = \"{secret}\"");
    let config = read_with("[cache]\nurl = \"redis://cache\"\nsecret = \"env:SEAL\"", &[("SEAL", secret)]).unwrap();
    let cache = config.cache.clone().unwrap();
    assert_eq!((cache.secret.expose(), cache.wait, cache.prefix.as_str()), (secret, Duration::from_millis(10), "weir"));
    assert!(config.secrets().any(|known| known.expose() == secret));
    assert!(!format!("{config:?}").contains(secret));
    assert!(!read(&table(secret)).source.text().contains(secret));
    assert!(mistakes(&table("short")).iter().any(|mistake| mistake.contains("32")));
    assert!(!mistakes("[cache]\nurl = \"redis://cache\"").is_empty());
    assert_eq!(read("").cache, None);
}

#[test]
fn nodes_answer_alike_whatever_their_listeners_and_stores() {
    let model = "[[providers]]\nname = \"p\"\nadapter = \"x\"\nurl = \"http://p\"\napi_key = \"env:KEY\"\n";
    let of = |text: &str, variables: &[(&str, &str)]| {
        let variables = [&[("KEY", "sk-1")], variables].concat();
        read_with(text, &variables).unwrap().answering
    };
    let base = of(model, &[]);
    assert_eq!(base, of(&format!("log_level = \"warn\"\n{model}[shared]\nurl = \"redis://c\"\nnode = \"a\""), &[]));
    assert_eq!(base, of(model, &[("WEIR_SERVER_PORT", "1"), ("WEIR_STORE_URL", "none"), ("WEIR_ADMIN_TOKEN", "t")]));
    assert_ne!(base, of(&model.replace("http://p", "http://q"), &[]));
    assert_ne!(base, of(&format!("{model}[media]\nfetch = true"), &[]));
    assert_ne!(base, of(model, &[("WEIR_MEDIA_FETCH", "true")]));
}

#[test]
fn what_is_no_address_or_no_policy_is_a_mistake() {
    for url in ["", "redis://", "cache:6379", "http://cache", "env:NOT_SET"] {
        assert!(!mistakes(&format!("[shared]\nurl = \"{url}\"")).is_empty(), "{url}");
    }
    assert!(mistakes("[shared]\nnode = \"a\"")[0].contains("url"));
    assert!(!mistakes("[shared]\nurl = \"redis://cache\"\nwhen_lost = \"never\"").is_empty());
}
