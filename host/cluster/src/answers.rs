//! Kept answers in a server that several nodes share. Whatever the server does wrong costs a miss: a request waits for
//! it no longer than its caller allows, and while it is away not at all.
//!
//! An answer has a place by its name; numbers beside it count removals: of everything, of a model, of one answer. Each
//! answer is sealed with the numbers that its request found, and used only as long as they are the same. So a removal
//! needs no list of what there is, and an answer that was under way does not come back. `questions` has the questions
//! that they answer.

mod link;
mod questions;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prometheus::Registry;
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use weir_cache::shared::Answered;
use weir_cache::similar::Questions;
use weir_cache::similar::shared_list::{ListReading, SharedQuestion};
use weir_cache::{Cache, Entry, Key, Looked, Mark, Place, Removal, Seal, SharedAnswers};

use super::address::Address;
use super::error::ServerError;
use super::values::Values;
use link::{Link, Outcome};

/// How long the removal of one answer is remembered: longer than any answer that was asked for before may take.
const REMOVED: Duration = Duration::from_hours(24);
/// How often removals by other nodes are looked for, and a server that is away is tried at first.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the time between two tries doubles at most.
const MAX_DOUBLED: u32 = 3;
/// For how many rounds a server must work until it is tried again at once when it is away.
const WELL: u32 = 10;
/// The digits of a name.
const NAME: usize = 64;

/// Where answers are kept, and how.
#[derive(Debug)]
pub struct AnswerServerSettings {
    /// The server.
    pub address: Address,
    /// TLS for addresses that ask for it.
    pub tls: Arc<ClientConfig>,
    /// What all names begin with.
    pub prefix: String,
    /// How long a request waits at most.
    pub wait: Duration,
    /// Seals with the secret that all nodes have.
    pub seal: Seal,
}

/// Kept answers in a server.
#[derive(Debug)]
pub struct AnswerServer {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Drop for AnswerServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Inner {
    names: Names,
    seal: Seal,
    link: Link,
    cache: Arc<Cache>,
    questions: Arc<Questions>,
}

impl AnswerServer {
    /// Connects, and has a node's own answers and questions follow the removals of others. A server that is away now is
    /// tried again.
    ///
    /// # Errors
    ///
    /// The server does not allow what is needed.
    pub async fn open(
        AnswerServerSettings { address, tls, prefix, wait, seal }: AnswerServerSettings,
        cache: &Arc<Cache>,
        questions: &Arc<Questions>,
        registry: &Registry,
    ) -> Result<Self, ServerError> {
        let names = Names(prefix);
        let link = Link::new(address, tls, wait, names.of("tried", ""), registry)
            .map_err(|error| ServerError::Connection(error.to_string()))?;
        let (cache, questions) = (Arc::clone(cache), Arc::clone(questions));
        let inner = Arc::new(Inner { names, seal, link, cache, questions });
        let before = match inner.link.connect().await {
            Ok(()) => inner.follow_removals(None).await,
            Err(error @ (ServerError::NotAllowed(_) | ServerError::Cluster)) => return Err(error),
            Err(_) => None,
        };
        let task = tokio::spawn(Arc::clone(&inner).follow(before));
        Ok(Self { inner, task })
    }
}

impl SharedAnswers for AnswerServer {
    fn look<'a>(&'a self, place: &'a Place) -> Answered<'a, Looked> {
        Box::pin(self.inner.look(place))
    }

    fn put(&self, place: Place, entry: Arc<Entry>, mark: Mark, question: Option<SharedQuestion>) {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            let is_written = inner.write(&place, &entry, &mark).await.is_some();
            if let Some(question) = question.filter(|_| is_written) {
                inner.add(&question, &place.key, &entry).await;
            }
        });
    }

    fn learn(&self, reading: ListReading) -> Answered<'_, ()> {
        // On a task of its own, so that what comes too late for this request is known to the next.
        let task = tokio::spawn(Arc::clone(&self.inner).learn(reading));
        Box::pin(async move {
            let _is_read = tokio::time::timeout(self.inner.link.wait(), task).await;
        })
    }

    fn call_wrong<'a>(&'a self, key: &'a Key) -> Answered<'a, bool> {
        Box::pin(async move { self.inner.call_wrong(key).await.is_some() })
    }

    fn was_called_wrong<'a>(&'a self, key: &'a Key, made: Instant) -> Answered<'a, bool> {
        Box::pin(async move { self.inner.was_called_wrong(key, made).await.unwrap_or_default() })
    }

    fn remove<'a>(&'a self, removal: Removal<'a>) -> Answered<'a, bool> {
        Box::pin(async move { self.inner.remove(removal).await.is_some() })
    }
}

impl Inner {
    async fn look(&self, place: &Place) -> Looked {
        let names = self.names.of_place(place, &self.seal.name(&place.key));
        let Some(values) = self.link.read(names.to_vec()).await else { return Looked::default() };
        let [sealed, all, model, key] = values.as_slice() else { return Looked::default() };
        let mark = Mark {
            all: number(all.as_deref()),
            model: number(model.as_deref()),
            key: number(key.as_deref()),
            origin: None,
        };
        let entry = match sealed {
            Some(sealed) => self.opened(place, sealed, &mark).await,
            None => None,
        };
        self.link.count(if entry.is_some() { Outcome::Hit } else { Outcome::Miss });
        Looked { entry, mark: Some(mark) }
    }

    /// An entry, if it is one of this place and was not removed.
    async fn opened(&self, place: &Place, sealed: &[u8], now: &Mark) -> Option<Entry> {
        let Some(opened) = self.seal.open(place, sealed, unix_ms()) else {
            self.link.count(Outcome::Invalid);
            return None;
        };
        let then = opened.mark;
        let is_same = (then.all, then.model, then.key) == (now.all, now.model, now.key);
        if !is_same || *opened.entry.model != *place.model || !opened.entry.is_fresh(Instant::now()) {
            return None;
        }
        if let Some(origin) = &opened.entry.origin {
            let values = self.link.read(vec![self.names.of("removed", &self.seal.name(origin))]).await?;
            let removed = number(values.first()?.as_deref());
            (then.origin == Some(removed)).then_some(())?;
        }
        Some(opened.entry)
    }

    async fn write(&self, place: &Place, entry: &Entry, mark: &Mark) -> Option<()> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).ok()?;
        let Some(sealed) = self.seal.seal(place, entry, mark, unix_ms(), random) else {
            self.link.count(Outcome::Large);
            return None;
        };
        let lasts = entry.lifetime.saturating_sub(entry.age(Instant::now()));
        let name = self.seal.name(&place.key);
        let origin = entry.origin.map(|origin| (self.names.of("origin", &name), self.seal.name(&origin)));
        let entry = self.names.of("entry", &name);
        // A failure is counted and logged.
        self.link
            .write(async move |values: &Values| {
                if let Some((name, origin)) = origin {
                    values.put(&name, origin.as_bytes(), lasts).await?;
                }
                values.put(&entry, &sealed, lasts).await
            })
            .await
    }

    /// Removes answers, and returns something if that was done.
    async fn remove(&self, removal: Removal<'_>) -> Option<()> {
        match removal {
            Removal::Key(key) => self.remove_one(key).await,
            Removal::Model(model) => {
                let names = [self.names.of("model", model), self.names.of("changes", "")];
                self.link
                    .write(async move |values: &Values| {
                        let [model, changes] = &names;
                        values.count_up(model, None).await?;
                        values.count_up(changes, None).await
                    })
                    .await?;
                Some(())
            }
            Removal::All(up_to) => {
                let name = self.names.of("all", "");
                let generation = self
                    .link
                    .write(async move |values: &Values| {
                        let found = values.get(std::slice::from_ref(&name)).await?;
                        let now = number(found.first().and_then(Option::as_deref));
                        if up_to.is_some_and(|most| now > most) { Ok(now) } else { values.count_up(&name, None).await }
                    })
                    .await?;
                if self.cache.adopt(generation) {
                    self.questions.clear();
                }
                Some(())
            }
        }
    }

    /// Removes one answer, with the one for clients of other formats from which theirs were made.
    async fn remove_one(&self, key: &Key) -> Option<()> {
        let name = self.seal.name(key);
        let names = self.names.clone();
        self.link
            .write(async move |values: &Values| {
                let origin = values.get(&[names.of("origin", &name)]).await?.into_iter().flatten().next();
                let origin = origin.filter(|origin| origin.len() == NAME && origin.iter().all(u8::is_ascii_hexdigit));
                let origin = origin.and_then(|origin| String::from_utf8(origin).ok());
                for name in origin.iter().chain([&name]) {
                    values.count_up(&names.of("removed", name), Some(REMOVED)).await?;
                    values.remove(&[names.of("entry", name)]).await?;
                }
                values.count_up(&names.of("changes", ""), None).await
            })
            .await?;
        Some(())
    }

    /// Connects again where the connection was lost, and follows the removals of other nodes.
    async fn follow(self: Arc<Self>, mut before: Option<u64>) {
        // A server that fails again and again is tried less often.
        let (mut failures, mut well) = (0_u32, 0_u32);
        loop {
            let is_open = self.link.is_open();
            let distance = if is_open { 0 } else { failures.min(MAX_DOUBLED) };
            tokio::time::sleep(INTERVAL * (1 << distance)).await;
            if is_open || self.link.connect().await.is_ok() {
                before = self.follow_removals(before).await.or(before);
            }
            if self.link.is_open() {
                well += 1;
                failures = if well > WELL { 0 } else { failures };
            } else {
                (failures, well) = (failures.saturating_add(1), 0);
            }
        }
    }

    /// Forgets what this node keeps itself if anything was removed since. Returns how often single answers and those of
    /// models were.
    async fn follow_removals(&self, before: Option<u64>) -> Option<u64> {
        let values = self.link.follow(vec![self.names.of("all", ""), self.names.of("changes", "")]).await?;
        let [all, changes] = values.as_slice() else { return None };
        let (all, changes) = (number(all.as_deref()), number(changes.as_deref()));
        if self.cache.adopt(all) {
            self.questions.clear();
        }
        if before.is_some_and(|before| before != changes) {
            self.cache.forget();
            self.questions.clear();
        }
        Some(changes)
    }
}

/// The names of values. All begin with the same `{}`, so that a cluster of servers keeps them together.
#[derive(Debug, Clone)]
struct Names(String);

impl Names {
    fn of(&self, kind: &str, name: &str) -> String {
        format!("{{{}:answers:1}}:{kind}:{name}", self.0)
    }

    /// The names of an answer and of the numbers of removals that concern it.
    fn of_place(&self, place: &Place, name: &str) -> [String; 4] {
        [self.of("entry", name), self.of("all", ""), self.of("model", &place.model), self.of("removed", name)]
    }
}

/// A number as the server has it; anything else is 0.
fn number(value: Option<&[u8]>) -> u64 {
    value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or_default()
}

/// Milliseconds since 1970.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
