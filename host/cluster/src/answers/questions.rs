//! Questions that the answers of other nodes answer: one stream of sealed questions for each list. A node reads on from
//! where it was, and compares what it knows itself; so the server learns nothing of them and decides nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_cache::sealed::sealed_question_bytes;
use weir_cache::similar::shared_list::{ListReading, SharedList, SharedQuestion};
use weir_cache::{Entry, Key};

use super::link::Outcome;
use super::{Inner, number, unix_ms};
use crate::values::Values;

/// About how many bytes are read of a list at once: they are opened on the thread of requests, which takes a
/// millisecond.
const PAGE: usize = 128 << 10;
/// The most questions that are read at once.
const MAX_OF_PAGE: usize = 256;
/// How long a verdict is remembered: longer than answers are kept.
const VERDICT: Duration = Duration::from_hours(24 * 90);

impl Inner {
    /// Reads on, to the end of a list.
    pub(super) async fn learn(self: Arc<Self>, reading: ListReading) {
        let list = reading.list();
        let stream = self.stream(list);
        let count = (PAGE / sealed_question_bytes(list.numbers)).clamp(1, MAX_OF_PAGE);
        // A list has about as many as it may have; a server that has ever more is not followed.
        for _ in 0..=2 * reading.most() / count + 1 {
            let (mut position, stream) = (reading.position(), stream.clone());
            let from = position.next().to_string();
            let page = self.link.aside(async move |values: &Values| values.entries(&stream, &from, count).await).await;
            let Some(page) = page else { return };
            let (is_last, now) = (page.len() < count, unix_ms());
            let mut known = Vec::with_capacity(page.len());
            for (at, sealed) in page {
                if at <= position {
                    return self.link.count(Outcome::Invalid);
                }
                position = at;
                match self.seal.open_question(list, &sealed) {
                    Some(opened) if opened.ends > now => known.push((opened.question, opened.key)),
                    Some(_) => {}
                    None => self.link.count(Outcome::Invalid),
                }
            }
            reading.learn(&known, position);
            if is_last {
                return;
            }
        }
    }

    /// Adds a question that this answer answers. The answer is there before, so that no node finds a question without
    /// it.
    pub(super) async fn add(&self, SharedQuestion { list, question, most }: &SharedQuestion, key: &Key, entry: &Entry) {
        let lasts = entry.lifetime.saturating_sub(entry.age(Instant::now()));
        let ends = unix_ms().saturating_add(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let mut random = [0; 12];
        if getrandom::fill(&mut random).is_err() {
            return;
        }
        let Some(sealed) = self.seal.seal_question(list, question, key, ends, random) else { return };
        let (stream, most) = (self.stream(list), *most);
        // A failure is counted and logged.
        let added = self.link.aside(async move |values: &Values| values.append(&stream, &sealed, most, lasts).await);
        if added.await.is_some() {
            self.link.count(Outcome::Written);
        }
    }

    /// Notes that an answer is wrong for other questions.
    pub(super) async fn call_wrong(&self, key: &Key) -> Option<()> {
        let name = self.names.of("wrong", &self.seal.name(key));
        let now = unix_ms().to_string();
        self.link.write(async move |values: &Values| values.put(&name, now.as_bytes(), VERDICT).await).await
    }

    /// Whether an answer that was made then was called wrong since.
    pub(super) async fn was_called_wrong(&self, key: &Key, made: Instant) -> Option<bool> {
        let values = self.link.read(vec![self.names.of("wrong", &self.seal.name(key))]).await?;
        let called = number(values.first()?.as_deref());
        let age = u64::try_from(made.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(unix_ms().saturating_sub(age) <= called)
    }

    /// The name of a list's stream. Each removal makes it another.
    fn stream(&self, SharedList { partition, removals, numbers, .. }: &SharedList) -> String {
        let kind = format!("questions:{}.{}.{numbers}", removals.all, removals.model);
        self.names.of(&kind, &self.seal.name(partition))
    }
}
