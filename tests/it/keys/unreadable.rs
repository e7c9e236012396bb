//! `/admin/v1`: a body that is no text, and an unknown parameter, at each endpoint that the description has.

use serde_json::Value;
use weir_tests::Request;

use super::{TOKEN, admin, gateway, provider};

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_refuses_what_it_cannot_read_as_json_with_a_code() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let described = admin(&gateway, "GET", "/openapi.json", Value::Null).await.json();
    let mut refused = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "none").replace("{name}", "openai").replace("{verb}", "trial");
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "parameters") {
            // These wait for events, and are the provider's.
            if path.ends_with("/tail") || path.contains("/playground/") {
                continue;
            }
            let asked = Request::new(&method.to_uppercase(), &format!("{path}?unknown=1"));
            let asked = asked.header("authorization", &format!("Bearer {TOKEN}"));
            let asked = if method == "get" { asked } else { asked.body([0xff, 0xfe, b'{']) };
            let reply = gateway.ask(&asked).await;
            if reply.status() >= 400 {
                let error = &reply.json()["error"];
                assert!(error["code"].is_string() && error["message"].is_string(), "{method} {path}: {}", reply.text());
                refused += 1;
            }
        }
    }
    assert!(refused > 40, "{refused}");
}
