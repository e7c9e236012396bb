//! `[outbound]`, and what else concerns addresses: `server.trusted_proxies` and `server.allowed_origins`.

use super::*;

#[test]
fn a_proxy_is_an_address_with_or_without_a_login_and_its_password_is_hidden() {
    let text = "[outbound]\nproxy = \"env:PROXY\"\ndirect = [\"VLLM\", \"*.internal\", \"10.0.0.0/8\", \"::1\"]";
    let config = read_with(text, &[("PROXY", "http://ann:a-long-word@proxy.example.com:3128")]).unwrap();
    let outbound = config.outbound.as_ref().unwrap();
    assert_eq!(
        outbound.direct,
        [
            DirectHost::Name("vllm".into()),
            DirectHost::Below(".internal".into()),
            DirectHost::Network("10.0.0.0/8".parse().unwrap()),
            DirectHost::Network("::1/128".parse().unwrap()),
        ]
    );
    assert!(!format!("{config:?}").contains("a-long-word"));
    assert!(config.secrets().any(|secret| secret.expose().contains("a-long-word")));
    for proxy in ["proxy.example.com:3128", "https://proxy", "socks5://proxy", "http://", "http://a b", ""] {
        assert!(!mistakes(&format!("[outbound]\nproxy = \"{proxy}\"")).is_empty(), "{proxy}");
    }
    for direct in ["http://a", "a:80", "*", "*.", "10.0.0.0/33"] {
        assert!(
            !mistakes(&format!("[outbound]\nproxy = \"http://p\"\ndirect = [\"{direct}\"]")).is_empty(),
            "{direct}"
        );
    }
    assert!(mistakes("[outbound]\ndirect = [\"a\"]")[0].contains("proxy"));
}

#[test]
fn proxies_in_front_and_pages_are_addresses_and_origins() {
    let server = |text: &str| read_with(&format!("[server]\n{text}"), &[]).unwrap().server;
    let networks = server("trusted_proxies = [\"192.0.2.1\", \"10.0.0.0/8\", \"::ffff:192.0.2.2\"]").trusted_proxies;
    let shown: Vec<String> = networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.0.2.1/32", "10.0.0.0/8", "192.0.2.2/32"]);
    let origins =
        server("allowed_origins = [\"https://Chat.example.com\", \"*\", \"tauri://localhost\"]").allowed_origins;
    assert_eq!(origins, ["https://chat.example.com", "*", "tauri://localhost"]);
    for wrong in [
        "trusted_proxies = [\"proxy\"]",
        "trusted_proxies = [\"10.0.0.0/33\"]",
        "allowed_origins = [\"chat.example.com\"]",
        "allowed_origins = [\"https://chat.example.com/\"]",
        "allowed_origins = [\"https://*.example.com\"]",
    ] {
        assert!(!mistakes(&format!("[server]\n{wrong}")).is_empty(), "{wrong}");
    }
}
