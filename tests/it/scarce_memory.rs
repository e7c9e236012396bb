//! `plugins.total_memory` is taken: what fits once others have ended is refused for a moment, with the setting's name.

use weir_tests::clients::{by, client};
use weir_tests::{Answer, Folder, Gate, Gateway};

use crate::attack_bodies::many_messages;
use crate::wire_format::{EVERY, OPENAI, config_of, provider};

#[tokio::test(flavor = "multi_thread")]
async fn what_others_hold_of_the_memory_of_all_adapters_is_waited_for_and_the_refusal_says_so() {
    // A guard holds two thirds of the memory while it judges an answer.
    const SCARCE: &str = "[plugins]\ntotal_memory = \"32MiB\"\ndeadline = \"20s\"\n\
        [[guards]]\nname = \"hoarder\"\nplugin = \"sentry\"\ndeadline = \"20s\"\nfor = { clients = [\"one\"] }\n\
        grants = { answer = true }\noptions = { begins = \"hoard\", megabytes = 22 }\n";
    let names = ["openai", "anthropic", "zeta", "gemini", "sentry"];
    for to in EVERY {
        for from in EVERY.into_iter().filter(|from| *from == to || *from == OPENAI) {
            let upstream = provider(to).await;
            let settings =
                format!("{SCARCE}{}{}{}", client("one", ""), client("two", ""), config_of(&EVERY, &upstream));
            let gateway = Gateway::with(Folder::with(&names), &settings).await;
            let gate = Gate::default();
            upstream.now(to.gated(&gate, true));
            let mut holder = gateway.connect().await;
            holder.send(&by("one", to.request(&to.translated(), true))).await;
            gateway.until_metric("weir_upstream_attempts_total", 1.0).await;
            holder.head().await;
            upstream.now(Answer::json(200, to.whole()));
            // The first that is refused needs more than what is left, and about twice that at most, since a little less
            // was served: there is room for it when the other has ended.
            let mut messages = 4_000;
            let (refused, request) = loop {
                let request = by("two", many_messages(from, &to.translated(), messages, false));
                let reply = gateway.ask(&request).await;
                if reply.status() != 200 {
                    break (reply, request);
                }
                messages += messages / 4;
                assert!(messages < 1_000_000, "memory is scarce");
            };
            let (about, message) = (format!("{} to {}", from.name, to.name), from.error(&refused).unwrap_or_default());
            assert_eq!(refused.status(), 503, "{about} with {messages} messages: {}", refused.text());
            assert!(message.contains("plugins.total_memory"), "{about}: {}", refused.text());
            assert!(refused.header("retry-after").is_some(), "{about}");
            let usual = gateway.ask(&by("two", from.request(&to.translated(), false))).await;
            assert_eq!(usual.status(), 200, "{about}: {}", usual.text());
            gate.open();
            holder.rest().await;
            let again = gateway.ask(&request).await;
            assert_eq!(again.status(), 200, "{about}: {}", again.text());
        }
    }
}
