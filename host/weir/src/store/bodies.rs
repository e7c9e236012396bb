//! Contents of requests on their way to the store: cleaned of secrets on a thread of their own, made parts of a
//! recording, and given to the store's writer. What waits here takes from the bounded memory of captured exchanges.

mod cuts;
mod messages;
mod side;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;

use cuts::{Cut, cuts};
use messages::Recordings;
use side::recorded;
use weir_config::{Secret, StoreSettings};
use weir_fixtures::fixture::Refused;
use weir_gateway::accounting::captured::{CaptureRoom, CapturedExchange, CapturedSide};
use weir_gateway::serving::Serving;
use weir_store::{Body, Recorder, RequestId, Side, StoreError};

use super::OpenError;
use super::redaction::Redaction;

/// Most exchanges that wait to be cleaned.
const WAITING: usize = 4_096;
/// How often the end of the thread is looked for.
const PAUSE: Duration = Duration::from_millis(5);

/// What the thread does next.
enum Job {
    Write(Box<CapturedExchange>),
    /// Answers that everything before was given to the store's writer.
    Answer(SyncSender<()>),
    End,
}

/// Returns what requests are served from now, whose adapters read the messages for spans.
pub(super) type ServingNow = Box<dyn Fn() -> Arc<Serving> + Send + Sync>;

/// The queue of exchanges with the thread that writes them.
pub(super) struct BodyLog {
    room: Arc<CaptureRoom>,
    serving: Arc<OnceLock<ServingNow>>,
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
    /// None after the end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Exchanges that were lost, by reason.
#[derive(Debug, Default)]
struct Counts {
    busy: AtomicU64,
    secret: AtomicU64,
    failed: AtomicU64,
    /// What still waits is given up.
    is_over: AtomicBool,
}

impl BodyLog {
    /// Starts the thread.
    pub(super) fn start(
        settings: &StoreSettings,
        recorder: Recorder,
        redaction: Arc<Redaction>,
    ) -> Result<Self, OpenError> {
        let (queue, jobs) = mpsc::sync_channel(WAITING);
        let counts = Arc::<Counts>::default();
        let serving = Arc::default();
        let cleaner = Cleaner { redaction, recorder, serving: Arc::clone(&serving), counts: Arc::clone(&counts) };
        let thread = std::thread::Builder::new().name("weir-bodies".to_owned());
        let thread = thread.spawn(move || cleaner.run(&jobs)).map_err(StoreError::from)?;
        let room = Arc::new(CaptureRoom::new(settings.max_queue_bytes));
        Ok(Self { room, serving, queue, counts, thread: Mutex::new(Some(thread)) })
    }

    /// Reads messages with the adapters of this from now on. The first one stays.
    pub(super) fn read_with(&self, serving: ServingNow) {
        let _is_first = self.serving.set(serving);
    }

    /// The memory for exchanges that are captured or wait.
    pub(super) fn room(&self) -> &Arc<CaptureRoom> {
        &self.room
    }

    /// Queues an exchange without waiting.
    pub(super) fn keep(&self, captured: CapturedExchange) {
        if self.queue.try_send(Job::Write(Box::new(captured))).is_err() {
            self.counts.busy.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Exchanges that were lost before they had bodies, by reason.
    pub(super) fn lost(&self) -> [(&'static str, u64); 4] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("full", self.room.without_room() + of(&self.counts.busy)),
            ("too_large", self.room.too_large()),
            ("secret", of(&self.counts.secret)),
            ("failed", of(&self.counts.failed)),
        ]
    }

    /// Waits until everything that waits now was given to the store's writer, and returns whether it was in time.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let (answer, answered) = mpsc::sync_channel(1);
        let mut job = Job::Answer(answer);
        loop {
            job = match self.queue.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Full(job)) => job,
                // The thread has ended, so that nothing waits.
                Err(TrySendError::Disconnected(_)) => return true,
            };
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        let answered = answered.recv_timeout(until.saturating_duration_since(Instant::now()));
        answered != Err(RecvTimeoutError::Timeout)
    }

    /// Writes what waits, within a time.
    pub(super) fn close(&self, timeout: Duration) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let until = Instant::now() + timeout;
        let mut is_asked = false;
        while !thread.is_finished() {
            is_asked = is_asked || self.queue.try_send(Job::End).is_ok();
            if Instant::now() >= until {
                self.counts.is_over.store(true, Ordering::Relaxed);
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl fmt::Debug for BodyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyLog").field("room", &self.room).field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// The thread's own state.
struct Cleaner {
    redaction: Arc<Redaction>,
    recorder: Recorder,
    serving: Arc<OnceLock<ServingNow>>,
    counts: Arc<Counts>,
}

impl Cleaner {
    fn run(self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let captured = match job {
                Job::Write(captured) => captured,
                Job::Answer(answer) => {
                    // Who asked may have given up.
                    let _ = answer.send(());
                    continue;
                }
                Job::End => return,
            };
            if self.counts.is_over.load(Ordering::Relaxed) {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let id = RequestId::from_bytes(*captured.id.as_bytes());
            if let Err(reason) = contained(|| self.write(id, *captured)) {
                let count = if matches!(reason, UnkeptBody::Refused(Refused::Secret)) {
                    &self.counts.secret
                } else {
                    &self.counts.failed
                };
                count.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(id = %id, %reason, "the content of a request is not logged");
            }
        }
    }

    /// Makes bodies of an exchange: all of them, or none if a secret cannot be removed.
    fn write(&self, id: RequestId, captured: CapturedExchange) -> Result<(), UnkeptBody> {
        let CapturedExchange { config, secrets, client, unified, upstream, provider, span, .. } = captured;
        let rules = self.redaction.rules().ok_or(UnkeptBody::Defect)?;
        let known: Vec<&str> = config.secrets().chain(&secrets).map(Secret::expose).collect();
        let limit = (config.store.max_exchange_bytes as u64).saturating_mul(8);
        // What a client gets of a relayed answer is what the provider answered.
        let is_relayed = upstream.as_ref().is_some_and(|upstream| is_same_answer(upstream, &client));
        let is_cut = !upstream.as_ref().unwrap_or(&client).is_whole;
        let (mut bodies, mut recordings) = (Vec::new(), Recordings { unified, is_cut, ..Recordings::default() });
        for (side, [sent, came]) in [
            (Some(client), [Side::Request, Side::Response]),
            (upstream, [Side::UpstreamRequest, Side::UpstreamResponse]),
        ] {
            let Some(side) = side else { continue };
            let is_answered = side.status != 0 && !(is_relayed && came == Side::Response);
            let file = recorded(side).into_file_without(rules, limit, known.iter().copied())?;
            bodies.push(body(id, sent, serde_json::to_string(&file.request)?, Cut::Elements));
            if is_answered {
                bodies.push(body(id, came, serde_json::to_string(&file.response)?, Cut::LongTexts));
            }
            match came {
                Side::Response => recordings.client = Some(file),
                _ => recordings.upstream = Some(file),
            }
        }
        for body in bodies {
            // What is dropped is counted by the recorder.
            let _is_taken = self.recorder.keep(body);
        }
        if let Some(serving) = self.serving.get().filter(|_| span.takes_messages()) {
            recordings.attach_to(&span, &serving(), provider.as_deref());
        }
        Ok(())
    }
}

/// Why an exchange is not kept.
#[derive(Debug, thiserror::Error)]
enum UnkeptBody {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("cleaning it failed by a defect of this program")]
    Defect,
}

/// Runs the work on one exchange. A panic costs this exchange, not those after it: nothing is changed before the end.
fn contained(work: impl FnOnce() -> Result<(), UnkeptBody>) -> Result<(), UnkeptBody> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(UnkeptBody::Defect))
}

fn is_same_answer(upstream: &CapturedSide, client: &CapturedSide) -> bool {
    upstream.status == client.status && upstream.answer == client.answer
}

fn body(id: RequestId, side: Side, text: String, cut: Cut) -> Body {
    let cuts = cuts(&text, cut);
    Body { id, side, bytes: Bytes::from(text), cuts }
}

#[cfg(test)]
mod tests;
