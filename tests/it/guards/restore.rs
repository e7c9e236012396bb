//! Personal data that a guard masks returns in the answer, in every dialect, whole and streamed, and in its own
//! exchange only.

use weir_tests::{Answer, Received, Upstream};

use super::answers::{AnswerPlace, MODEL, NAMES, answer};
use super::everywhere::DIALECTS;
use super::{gateway, guard};

const ADDRESS: &str = "jane.doe@example.org";

/// The guard, with both grants.
fn restoring() -> String {
    guard("pii", "options = { action = \"mask\", restore = true }")
        .replace("prompt = true", "prompt = true, answer = true")
}

/// The placeholder in what the provider was sent.
fn placeholder(sent: &Received) -> String {
    let text = sent.text();
    assert!(!text.contains(ADDRESS), "{text}");
    let at = text.find("[email-1-").unwrap_or_else(|| panic!("no placeholder: {text}"));
    let length = text[at..].find(']').unwrap() + 1;
    text[at..at + length].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_values_return_in_the_answer_of_their_exchange() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &restoring()).await;
    for (_, dialect) in DIALECTS {
        for place in [AnswerPlace::Text, AnswerPlace::Arguments] {
            for stream in [false, true] {
                upstream.script(move |sent| answer(place, &placeholder(sent), stream));
                let body = dialect.says(MODEL, &format!("Write to {ADDRESS}."), stream);
                let reply = gateway.ask(&dialect.request(MODEL, &body, stream)).await;
                let case = format!("{dialect:?}, {place:?}, stream {stream}: {}", reply.text());
                assert_eq!(reply.status(), 200, "{case}");
                // A stream may give the address in pieces.
                let joined: String = reply.text().split('"').collect();
                assert!(stream || joined.contains(ADDRESS), "{case}");
                assert!(reply.text().contains("example.org") && !reply.text().contains("email-1-"), "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_placeholder_of_another_exchange_stands_for_nothing() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = gateway(&upstream, &NAMES, &restoring()).await;
    let (_, dialect) = DIALECTS[0];
    for stream in [false, true] {
        let foreign = "[email-1-00000000]";
        upstream.script(move |sent| {
            assert_ne!(placeholder(sent), foreign);
            answer(AnswerPlace::Text, foreign, stream)
        });
        let body = dialect.says(MODEL, &format!("Write to {ADDRESS}."), stream);
        let reply = gateway.ask(&dialect.request(MODEL, &body, stream)).await;
        assert!(!reply.text().contains("example.org"), "{}", reply.text());
    }
}
