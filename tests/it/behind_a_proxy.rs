//! Clients behind a proxy that says for whom it asks.

use weir_tests::{Gateway, Request};

use crate::wire_format::{OPENAI, config_of, provider};

const LIMITS: &str = "address_limits = { requests_per_minute = 2 }\n";
const CLIENT: &str = "[[clients]]\nname = \"one\"\nkey = \"key-of-the-client\"\n";

fn asked(forwarded_for: &str, key: &str) -> Request {
    let request = OPENAI.request("openai", false).header("authorization", &format!("Bearer {key}"));
    request.header("x-forwarded-for", forwarded_for)
}

async fn statuses(gateway: &Gateway, addresses: &[&str], key: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for address in addresses {
        statuses.push(gateway.ask(&asked(address, key)).await.status());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_that_of_the_client_only_where_a_trusted_proxy_tells_it() {
    let upstream = provider(OPENAI).await;
    let rest = format!("{CLIENT}{}", config_of(&[OPENAI], &upstream));
    let key = "key-of-the-client";
    let trusting = format!("[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n{LIMITS}{rest}");
    let gateway = Gateway::open(&trusting).await;
    let own = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2, 10.0.0.9", "192.0.2.2:81"];
    assert_eq!(statuses(&gateway, &own, key).await, [200, 200, 429, 200, 200]);
    // What stands before the last address is the client's own word.
    assert_eq!(statuses(&gateway, &["203.0.113.9, 192.0.2.1"], key).await, [429]);
    let gateway = Gateway::open(&format!("[server]\n{LIMITS}{rest}")).await;
    assert_eq!(statuses(&gateway, &["192.0.2.1", "192.0.2.2", "192.0.2.3"], key).await, [200, 200, 429]);
    let elsewhere = format!("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n{LIMITS}{rest}");
    let gateway = Gateway::open(&elsewhere).await;
    assert_eq!(statuses(&gateway, &["192.0.2.1", "192.0.2.2", "192.0.2.3"], key).await, [200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_of_one_client_do_not_slow_down_the_others_behind_the_same_proxy() {
    let upstream = provider(OPENAI).await;
    let rest = format!("{CLIENT}{}", config_of(&[OPENAI], &upstream));
    let gateway = Gateway::open(&format!("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{rest}")).await;
    let guesses = statuses(&gateway, &["192.0.2.1"; 14], "a-guess").await;
    assert_eq!((guesses[0], guesses[13]), (401, 429));
    assert_eq!(statuses(&gateway, &["192.0.2.2"], "a-slip").await, [401]);
    assert_eq!(statuses(&gateway, &["192.0.2.1"], "key-of-the-client").await, [200]);
}
