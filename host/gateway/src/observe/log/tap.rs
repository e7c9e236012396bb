//! Shows lines of Weir's own log to what sends them elsewhere. What is logged while it sends is not shown to it.

use std::cell::Cell;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use tracing::Level;

use super::ACCESS;

/// What the targets of Weir's own lines begin with. Others are those of libraries, which may log while a line is sent.
const OWN: &str = "weir";

/// Takes lines of the log.
pub trait LineTap: fmt::Debug + Send + Sync {
    /// Takes a line, a JSON object. It is called where the line is logged, so it must not wait for anything, nor log.
    fn take(&self, level: Level, line: String);
}

/// The tap of this process.
static TAP: RwLock<Option<Weak<dyn LineTap>>> = RwLock::new(None);
/// The least severe lines that it takes, as [`rank`] counts; 0 if there is no tap.
static LEAST: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static IS_SENDING: Cell<bool> = const { Cell::new(false) };
}

/// Shows lines of at least this level to a tap from now on, until it is dropped. A later tap takes its place.
pub fn show_to(tap: &Arc<dyn LineTap>, least: Level) {
    *TAP.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(tap));
    LEAST.store(rank(least), Ordering::Relaxed);
}

/// Polls a future that sends lines: what is logged meanwhile is not shown to the tap.
pub async fn unshown<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        let before = IS_SENDING.replace(true);
        let polled = work.as_mut().poll(cx);
        IS_SENDING.set(before);
        polled
    })
    .await
}

/// Whether a line is shown. Lines of the access log are not: each is a fact as well.
pub(super) fn takes(level: Level, target: &str) -> bool {
    rank(level) <= LEAST.load(Ordering::Relaxed) && target.starts_with(OWN) && target != ACCESS && !IS_SENDING.get()
}

/// Shows a line to the tap.
pub(super) fn show(level: Level, line: String) {
    let tap = TAP.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
    match tap {
        Some(tap) => tap.take(level, line),
        None => LEAST.store(0, Ordering::Relaxed),
    }
}

/// 1 for the most severe lines.
fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::Line;
    use super::super::tests::logged;
    use super::*;

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LineTap for Kept {
        fn take(&self, _: Level, line: String) {
            self.0.lock().unwrap().push(line);
        }
    }

    #[tokio::test]
    async fn a_tap_gets_severe_lines_of_weirs_own_but_not_those_of_its_own_work() {
        let kept = Arc::new(Kept::default());
        let tap: Arc<dyn LineTap> = kept.clone();
        show_to(&tap, Level::WARN);
        logged(Line::Human, || {
            tracing::warn!(count = 1, "tap-test: shown");
            tracing::info!("tap-test: too fine");
            tracing::warn!(target: "hyper", "tap-test: another's");
            let work = async { tracing::error!("tap-test: while sending") };
            futures_util::FutureExt::now_or_never(unshown(work)).unwrap();
            tracing::error!("tap-test: shown after it");
        });
        let lines = kept.0.lock().unwrap().clone();
        let of_test: Vec<&String> = lines.iter().filter(|line| line.contains("tap-test")).collect();
        let messages: Vec<serde_json::Value> = of_test
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].take())
            .collect();
        assert_eq!(messages, ["tap-test: shown", "tap-test: shown after it"], "{lines:?}");
    }
}
