//! Characters that are shown as nothing hide no text from a guard that searches as a reader does: not in requests, and
//! not in answers, whole, streamed, relayed or translated.

use std::iter;

use weir_tests::{Answer, Upstream};

use super::answers::{AnswerPlace, MODEL, NAMES, answer};
use super::everywhere::{ADAPTERS, DIALECTS, Dialect, Refusal};
use super::requests::{RequestPlace, body};
use super::{gateway, upstream};

/// Some of the characters: a joiner, a soft hyphen, fillers, a selector, a tag.
const HIDDEN: [char; 6] = ['\u{200d}', '\u{ad}', '\u{3164}', '\u{115f}', '\u{fe0f}', '\u{e0041}'];
const PLACES: [RequestPlace; 5] =
    [RequestPlace::User, RequestPlace::System, RequestPlace::Arguments, RequestPlace::Result, RequestPlace::Tool];

/// The guards that search as a reader does.
fn refusals() -> impl Iterator<Item = Refusal> {
    Refusal::of_each().into_iter().filter(|refusal| refusal.guard != "regex")
}

/// A text with so many invisible characters behind each of its characters.
fn hidden(text: &str, count: usize) -> String {
    let mut all = HIDDEN.into_iter().cycle();
    text.chars().flat_map(|char| iter::once(char).chain(all.by_ref().take(count)).collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invisible_characters_hide_nothing_in_requests() {
    let mut upstream = upstream().await;
    for refusal in refusals() {
        let gateway = gateway(&upstream, &ADAPTERS, &refusal.guard()).await;
        let text = hidden(&refusal.text, 1);
        for (adapter, dialect) in DIALECTS {
            for place in PLACES {
                for stream in [false, true] {
                    for model in [adapter.to_owned(), format!("{adapter}-t")] {
                        let Some(body) = body(dialect, &model, place, &text, stream) else { continue };
                        let reply = gateway.ask(&dialect.request(&model, &body, stream)).await;
                        let case = format!("{dialect:?}, {place:?}, {model}, {stream}: {}", reply.text());
                        let noted = format!("{}=deny;{}", refusal.guard, refusal.label);
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                        assert_eq!(reply.status(), 400, "{case}");
                        assert!(upstream.unseen().is_none(), "{case}");
                    }
                }
            }
        }
    }
}

/// What a reader sees of a text: JSON's escapes read, and without the invisible characters.
fn seen(text: &str) -> String {
    let mut plain = text.replace("\\u00ad", "");
    for char in HIDDEN {
        let mut units = [0; 2];
        let escapes: Vec<String> = char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let escape = escapes.concat();
        plain = plain.replace(char, "").replace(&escape, "");
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn invisible_characters_hide_nothing_in_answers_relayed_and_translated() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for refusal in refusals() {
        let guards = refusal.guard().replace("prompt = true", "answer = true");
        let gateway = gateway(&upstream, &NAMES, &guards).await;
        let cases = DIALECTS.iter().flat_map(|(_, dialect)| [(*dialect, MODEL), (*dialect, "groq-t")]);
        // Chat is this provider's own format, so that its answer is relayed as long as it passes.
        for (dialect, model) in cases.chain([(Dialect::Chat, "openai")]) {
            for (count, place) in [(1, AnswerPlace::Text), (1, AnswerPlace::Arguments), (4, AnswerPlace::Text)] {
                for stream in [false, true] {
                    let text = hidden(&refusal.text, count);
                    upstream.script(move |_| answer(place, &text, stream));
                    let body = dialect.ask(model, stream);
                    let reply = gateway.ask(&dialect.request(model, &body, stream)).await;
                    let case = format!("{dialect:?}, {place:?}, {model}, {count}, stream {stream}: {}", reply.text());
                    assert_eq!(reply.status(), 200, "{case}");
                    let (first, last) = refusal.text.split_at(refusal.text.len() / 2);
                    let shown = seen(&reply.text());
                    assert!(!shown.contains(first) && !shown.contains(last), "{case}");
                    if !stream {
                        let noted = format!("{0}=allow, {0}.answer=deny;{1}", refusal.guard, refusal.label);
                        assert_eq!(reply.header("x-weir-guards"), Some(noted.as_str()), "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_invisible_characters_stretch_is_masked_in_streams_as_in_whole_answers() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    for refusal in refusals() {
        let guards = refusal.guard().replace("options = {}", "options = { action = \"mask\" }");
        let guards = guards.replace("prompt = true", "answer = true");
        let gateway = gateway(&upstream, &NAMES, &guards).await;
        for count in [1, 4, 30] {
            for place in [AnswerPlace::Text, AnswerPlace::Arguments] {
                for stream in [false, true] {
                    let text = hidden(&refusal.text, count);
                    upstream.script(move |_| answer(place, &text, stream));
                    let body = Dialect::Chat.ask(MODEL, stream);
                    let reply = gateway.ask(&Dialect::Chat.request(MODEL, &body, stream)).await;
                    let case = format!("{}, {count}, {place:?}, stream {stream}: {}", refusal.guard, reply.text());
                    let label = refusal.label.trim_end_matches("=1");
                    assert!(reply.text().contains(&format!("[{label}]")), "{case}");
                    assert!(reply.text().contains(" is it"), "{case}");
                }
            }
        }
    }
}
