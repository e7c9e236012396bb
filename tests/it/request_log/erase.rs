//! What the log has of a user can be erased, and what the log lacks shows.

use serde_json::{Value, json};
use weir_tests::{Reply, Request};

use super::bodies::{keeping, own_id};
use super::{Kept, TOKEN, command, provider, text};
use crate::wire_format::{OPENAI, config_of};

async fn admin(kept: &Kept, method: &str, path: &str, body: Value) -> Reply {
    let request = Request::new(method, path).header("authorization", &format!("Bearer {TOKEN}"));
    kept.ask(&request.body(body.to_string())).await
}

/// A key of a new user.
async fn key_of(kept: &Kept, user: &str) -> String {
    let made = admin(kept, "POST", "/admin/v1/users", json!({"id": user, "name": user})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let made = admin(kept, "POST", "/admin/v1/keys", json!({"name": user, "owner": {"user": user}})).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    text(&made.json(), "key").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_of_a_user_is_erased_and_what_it_lacks_shows() {
    let upstream = provider().await;
    let kept = Kept::start(&config_of(&[OPENAI], &upstream));
    let (ada, eve) = (key_of(&kept, "ada").await, key_of(&kept, "eve").await);
    let with = |key: &str| OPENAI.request("openai", false).header("authorization", &format!("Bearer {key}"));
    for key in [&eve, &ada, &ada, &eve] {
        assert_eq!(kept.ask(&with(key)).await.status(), 200);
    }
    kept.found("user=ada", 2).await;
    kept.found("user=eve", 2).await;
    let gaps = kept.admin("/admin/v1/requests/gaps").await.json();
    assert_eq!(gaps, json!({"items": [], "missing": 0}));

    assert_eq!(admin(&kept, "DELETE", "/admin/v1/requests", Value::Null).await.status(), 400);
    let own = Request::new("DELETE", "/admin/v1/requests?user=eve").header("authorization", &format!("Bearer {ada}"));
    assert_eq!(kept.ask(&own).await.status(), 403);
    let erased = admin(&kept, "DELETE", "/admin/v1/requests?user=ada", Value::Null).await;
    assert_eq!((erased.status(), erased.json()), (200, json!({"removed": 2})));
    kept.found("user=ada", 0).await;
    kept.found("user=eve", 2).await;
    let (done, lacking) = command(&kept, &["log", "gaps"]).await;
    assert!(done && lacking.contains("the log lacks 2 requests"), "{lacking}");

    let (done, told) = command(&kept, &["log", "erase", "--user", "eve"]).await;
    assert!(done && told.contains("removed 2 requests of eve"), "{told}");
    kept.found("", 0).await;
    let audit = kept.admin("/admin/v1/audit").await.json();
    let event = &audit["items"][0]["event"];
    let expected = json!({"user": "eve", "removed": 2});
    assert_eq!((text(event, "action"), text(event, "kind"), &event["after"]), ("erase", "requests", &expected));
    // Who had it done is recorded before it is done, so that an erasure that fails in its midst is recorded as well.
    let begun = &audit["items"][1]["event"];
    let expected = json!({"user": "eve"});
    assert_eq!((text(begun, "action"), text(begun, "kind"), &begun["after"]), ("begin-erase", "requests", &expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_that_are_still_being_cleaned_are_erased_with_their_requests() {
    const WORD: &str = "0word-of-ada9";
    let upstream = provider().await;
    let kept = Kept::start(&keeping("all", "", &upstream));
    let ada = key_of(&kept, "ada").await;
    // Cleaning takes a while, and what is said stands in a piece of its own.
    let texts =
        (0..40_000).map(|number| format!("{number} of many things that may look like a secret")).collect::<Vec<_>>();
    let body = json!({"model": "openai", "messages": [
        {"role": "user", "content": WORD}, {"role": "user", "content": texts.join("; ")}]});
    let request =
        Request::post("/v1/chat/completions", body.to_string()).header("authorization", &format!("Bearer {ada}"));
    for _ in 0..3 {
        let reply = kept.ask(&request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
    let erase = async || admin(&kept, "DELETE", "/admin/v1/requests?user=ada", Value::Null).await;
    let mut erased = erase().await;
    // A busy machine may not have written them in the time that an erasure waits.
    for _ in 0..10 {
        if erased.status() == 503 {
            erased = erase().await;
        }
    }
    assert_eq!((erased.status(), erased.json()), (200, json!({"removed": 3})), "{}", erased.text());
    // What is kept of a later request is written after all that was kept of those before.
    let later = kept.ask(&OPENAI.request("openai", false).header("authorization", &format!("Bearer {ada}"))).await;
    kept.content(&own_id(&later)).await;
    assert!(!kept.has_in_files(WORD), "the files have what was erased");
}
