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
fn what_is_no_address_or_no_policy_is_a_mistake() {
    for url in ["", "redis://", "cache:6379", "http://cache", "env:NOT_SET"] {
        assert!(!mistakes(&format!("[shared]\nurl = \"{url}\"")).is_empty(), "{url}");
    }
    assert!(mistakes("[shared]\nnode = \"a\"")[0].contains("url"));
    assert!(!mistakes("[shared]\nurl = \"redis://cache\"\nwhen_lost = \"never\"").is_empty());
}
