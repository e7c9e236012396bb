//! Equal requests at the same time: one asks, in every lane and form. If it leaves, another takes its place; if its
//! answer is none to keep, no other client gets it.

use weir_tests::{Answer, Gate, Gateway, Upstream};

use super::{keeping, result};
use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, PROVIDERS, TEXT, WireFormat};

/// The format of a client, a model that leads to a provider of the other format, and whether it is translated always.
const LANES: [(WireFormat, WireFormat, bool); 6] = [
    (OPENAI, OPENAI, false),
    (OPENAI, OPENAI, true),
    (OPENAI, ANTHROPIC, false),
    (ANTHROPIC, ANTHROPIC, false),
    (ANTHROPIC, OPENAI, false),
    (GEMINI, GEMINI, true),
];

fn cases() -> impl Iterator<Item = (WireFormat, WireFormat, String, bool)> {
    let forms = LANES.into_iter().flat_map(|lane| [false, true].map(|stream| (lane, stream)));
    forms.map(|((from, to, is_translated), stream)| {
        (from, to, if is_translated { to.translated() } else { to.name.to_owned() }, stream)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_requests_that_wait_one_takes_the_place_of_each_that_leaves_in_every_lane_and_form() {
    for (from, to, model, stream) in cases() {
        let about = format!("{} {model} {stream}", from.name);
        let gate = Gate::default();
        let mut upstream = Upstream::always(to.gated(&gate, stream)).await;
        let gateway = Gateway::open(&keeping(&PROVIDERS, &upstream)).await;
        let request = from.request(&model, stream);
        let mut clients = Vec::new();
        for waiting in 0..5 {
            let mut client = gateway.connect().await;
            client.send(&request).await;
            clients.push(client);
            if waiting == 0 {
                upstream.request().await;
            }
            gateway.until_metric("weir_cache_waiting", f64::from(waiting)).await;
        }
        assert!(upstream.unseen().is_none(), "{about}: the others wait");
        // The one that asks leaves, and so does the one after it, whichever that is.
        clients.remove(0).leave();
        upstream.request().await;
        gateway.until_metric("weir_cache_waiting", 3.0).await;
        assert!(upstream.unseen().is_none(), "{about}: one of them took over");
        (0..5).for_each(|_| gate.open());
        let mut results = Vec::new();
        for client in &mut clients {
            let reply = client.reply().await;
            assert_eq!(
                (reply.status(), from.parsed(&reply, stream).text.as_str()),
                (200, TEXT),
                "{about}: {}",
                reply.text()
            );
            results.push(result(&reply).unwrap_or_default().to_owned());
        }
        results.sort();
        assert_eq!(results, ["coalesced", "coalesced", "coalesced", "miss"], "{about}");
        assert!(upstream.unseen().is_none(), "{about}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_to_keep_reaches_its_own_client_alone() {
    for (from, to, model, stream) in cases() {
        let gate = Gate::default();
        let failure = "{\"error\":{\"type\":\"server_error\",\"message\":\"POISON\"}}";
        let head = |status: u16| Answer::begin(status, &[("content-type", "application/json")]);
        let cut =
            Answer::begin(200, &[("content-type", "text/event-stream")]).gate(&gate).piece(": POISON\n\n").close();
        let mut bad = vec![head(500).gate(&gate).piece(failure).end(), head(400).gate(&gate).piece(failure).end()];
        if stream {
            bad.push(cut);
        } else {
            bad.push(head(200).gate(&gate).piece("{\"POISON\":").end());
        }
        for answer in bad {
            let mut upstream = Upstream::always(answer).await;
            let gateway = Gateway::open(&keeping(&PROVIDERS, &upstream)).await;
            let request = from.request(&model, stream);
            let mut leader = gateway.connect().await;
            leader.send(&request).await;
            upstream.request().await;
            let mut followers = [gateway.connect().await, gateway.connect().await];
            for follower in &mut followers {
                follower.send(&request).await;
            }
            gateway.until_metric("weir_cache_waiting", 2.0).await;
            upstream.now(if stream { to.streamed() } else { Answer::json(200, to.whole()) });
            gate.open();
            let poisoned = leader.reply().await;
            let about = format!("{} {model} {stream}: {}", from.name, poisoned.text());
            for follower in &mut followers {
                let reply = follower.reply().await;
                assert_eq!((reply.status(), from.parsed(&reply, stream).text.as_str()), (200, TEXT), "{about}");
                assert!(!reply.text().contains("POISON"), "{about}");
            }
            let after = gateway.ask(&request).await;
            assert_eq!(from.parsed(&after, stream).text, TEXT, "{about}");
        }
    }
}
