//! Streams of events: every format, fallbacks, breaks, continuation, cancellation.

use futures_util::StreamExt as _;
use weir_embed::types::FinishReason;
use weir_embed::{ChatEvent, Client, ErrorKind, EventStream};
use weir_tests::{Answer, Upstream, soon};

use super::{QUICK, builder, one, provider, two};
use crate::wire_format::{self, ANTHROPIC, EVERY, OPENAI, TEXT};

async fn all(events: EventStream) -> Vec<ChatEvent> {
    let events: Vec<_> = soon("the stream's end", events.collect()).await;
    events.into_iter().map(Result::unwrap).collect()
}

fn text(events: &[ChatEvent]) -> String {
    let delta = |event: &ChatEvent| match event {
        ChatEvent::Delta(delta) => Some(delta.text.clone()),
        _ => None,
    };
    events.iter().filter_map(delta).collect()
}

/// Each stream starts once, each part starts and stops once, and the answer finishes once.
fn is_well_formed(events: &[ChatEvent]) {
    assert!(matches!(events.first(), Some(ChatEvent::Start(_))), "{events:?}");
    let count = |is: fn(&ChatEvent) -> bool| events.iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, ChatEvent::Start(_))), 1, "{events:?}");
    let (starts, stops) = (
        count(|event| matches!(event, ChatEvent::PartStart(_))),
        count(|event| matches!(event, ChatEvent::PartStop(_))),
    );
    assert!(starts == stops && starts > 0, "{events:?}");
    let finishes =
        |event: &&ChatEvent| matches!(event, ChatEvent::Finish(one) if one.finish.reason == FinishReason::Complete);
    assert_eq!(events.iter().filter(finishes).count(), 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_every_format_is_the_same_events() {
    for wire_format in EVERY {
        let upstream = wire_format::provider(wire_format).await;
        let (_folder, weir) = one(wire_format, &upstream, QUICK).await;
        let mut stream = weir.stream("chat", "Hello?").await.unwrap();
        assert_eq!(stream.target(), format!("first/{}", wire_format.name));
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event.unwrap());
        }
        is_well_formed(&events);
        assert_eq!(text(&events), TEXT, "{}", wire_format.name);
        let usage = stream.usage().unwrap();
        assert_eq!((usage.input, usage.output), (Some(6), Some(7)), "{}", wire_format.name);
        assert!(stream.losses().is_empty(), "{:?}", stream.losses());
        assert!(stream.next().await.is_none(), "it has ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_streamed_all_the_same() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let events = all(weir.stream("chat", "Hello?").await.unwrap()).await;
    is_well_formed(&events);
    assert_eq!(text(&events), TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_falls_back_before_its_first_event() {
    let first = Upstream::always(Answer::sse().close()).await;
    let second = wire_format::provider(ANTHROPIC).await;
    let (_folder, weir) = two((OPENAI, &first), (ANTHROPIC, &second), QUICK).await;
    let stream = weir.stream("chat", "Hello?").await.unwrap();
    assert_eq!(stream.target(), "second/anthropic");
    assert!(stream.attempts() > 1);
    assert_eq!(text(&all(stream).await), TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_ends_with_an_error() {
    let pieces = OPENAI.stream();
    let upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).close()).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let mut stream = weir.stream("chat", "Hello?").await.unwrap();
    let error = loop {
        match soon("an event", stream.next()).await.unwrap() {
            Ok(event) => assert!(!matches!(event, ChatEvent::Failure(_) | ChatEvent::Finish(_)), "{event:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.target()), (ErrorKind::Upstream, Some("first/openai")));
    assert!(stream.next().await.is_none());
}

/// A client whose model `goes-on` has the second provider go on with a stream of the first.
async fn resuming(first: &Upstream, second: &Upstream) -> (weir_tests::Folder, Client) {
    let (folder, builder) = builder(&["openai", "anthropic"]);
    let targets = "[{ provider = \"first\", model = \"openai\" }, { provider = \"second\", model = \"anthropic\" }]";
    let builder = builder
        .provider("first", provider(OPENAI, first, QUICK))
        .provider("second", provider(ANTHROPIC, second, QUICK))
        .settings(&format!("[[models]]\nalias = \"goes-on\"\nresume = true\ntargets = {targets}\n"));
    (folder, builder.build().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_target_goes_on_with_a_stream_that_breaks() {
    let pieces = OPENAI.stream();
    let first = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).close()).await;
    let mut second = wire_format::provider(ANTHROPIC).await;
    let (_folder, weir) = resuming(&first, &second).await;
    let events = all(weir.stream("goes-on", "Hello?").await.unwrap()).await;
    is_well_formed(&events);
    let (begun, _) = TEXT.split_at(6);
    assert_eq!(text(&events), format!("{begun}{TEXT}"), "the second provider says it all again");
    assert!(second.request().await.text().contains(begun), "it was given what was said");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_is_cancelled() {
    let pieces = OPENAI.stream();
    let mut upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).hang()).await;
    let (_folder, weir) = one(OPENAI, &upstream, QUICK).await;
    let mut stream = weir.stream("chat", "Hello?").await.unwrap();
    soon("the first event", stream.next()).await.unwrap().unwrap();
    assert!(!upstream.was_left());
    drop(stream);
    upstream.departure().await;
}
