//! The thread that writes facts and bodies, and ends days.

use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::Shared;
use super::queue::Next;
use super::steady_time::SteadyTime;
use crate::batch::Batch;

/// By how much the thread is nicer than others.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Writes batch after batch until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    give_way();
    let mut days = LastLook::begin(shared);
    loop {
        match shared.queue.next(shared.options.retain_every) {
            Next::Write(batch) => {
                send_to_tail(shared, &batch);
                write(shared, batch, &mut days);
                // Requests on this core go on before the next turn.
                thread::yield_now();
            }
            Next::Idle => {}
            Next::End => break,
        }
        days.look(shared);
    }
    shared.queue.end();
}

/// When the days were looked at last for their end, and by which time.
#[derive(Debug)]
struct LastLook {
    at: Option<Instant>,
    time: SteadyTime,
}

impl LastLook {
    /// The state before anything is written. For a database, its own clock decides what is over.
    fn begin(shared: &Shared) -> Self {
        let days = if shared.store.is_in_process() { shared.store.days() } else { Ok(Vec::new()) };
        let newest = days.ok().and_then(|days| Some(days.last()?.day.next().start_ms()));
        Self { at: None, time: SteadyTime::after(newest, Instant::now()) }
    }

    /// Ends days, if it is time to look.
    fn look(&mut self, shared: &Shared) {
        if self.at.is_none_or(|at| at.elapsed() >= shared.options.retain_every) {
            retain(shared, &mut self.time);
            self.at = Some(Instant::now());
        }
    }
}

/// Lowers this thread's priority a little, so that no request waits for its own log on a core that is fully used. The
/// thread keeps a quarter of such a core, which is several times what it takes.
fn give_way() {
    // Elsewhere the call would affect the whole program.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "the priority of the request log's thread stays as it is");
    }
}

/// Sends the facts to the readers of the tail. Without any, nothing is copied.
fn send_to_tail(shared: &Shared, batch: &Batch) {
    if shared.tail.receiver_count() == 0 {
        return;
    }
    for fact in batch.facts.iter().filter_map(|fact| fact.unpack().ok()) {
        // There may be no reader left.
        let _ = shared.tail.send(Arc::new(fact));
    }
}

/// Writes a batch, again and again while the store is unavailable. A batch that the store refuses is halved, until the
/// rows that it refuses are alone. Days end meanwhile: on a disk that is full, nothing else may make room.
fn write(shared: &Shared, batch: Batch, days: &mut LastLook) {
    let mut batches = vec![batch];
    while let Some(batch) = batches.pop() {
        match shared.queue.writes.run(|| shared.store.append(&batch)) {
            Ok(()) => shared.queue.finish(&batch, true),
            Err(error) if error.is_transient() => {
                if shared.queue.pause(shared.queue.writes.wait()) {
                    days.look(shared);
                    batches.push(batch);
                } else {
                    shared.queue.finish(&batch, false);
                }
            }
            Err(error) => match halve(batch) {
                Ok((first, second)) => batches.extend([second, first]),
                Err(single) => {
                    tracing::error!(%error, "a row of the request log was dropped");
                    shared.queue.finish(&single, false);
                }
            },
        }
    }
}

/// Two halves of a batch; the batch itself if it is a single row.
fn halve(mut batch: Batch) -> Result<(Batch, Batch), Batch> {
    let rows = batch.facts.len() + batch.bodies.len();
    if rows <= 1 {
        return Err(batch);
    }
    let facts = batch.facts.split_off(batch.facts.len() / 2);
    let bodies = batch.bodies.split_off(batch.bodies.len().div_ceil(2));
    let second = Batch { facts, bodies };
    Ok((batch, second))
}

fn retain(shared: &Shared, time: &mut SteadyTime) {
    let Some(retention) = &shared.options.retention else { return };
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let here = time.now(clock, Instant::now());
    // What a node whose clock is ahead takes for over is not over for the others.
    let ended = shared.store.clock_ms().and_then(|there| shared.store.retain(here.min(there), retention));
    match ended {
        Ok(days) if days.is_empty() => {}
        Ok(days) => {
            for day in days {
                tracing::info!(%day, "a day of the request log has ended");
            }
        }
        Err(error) => tracing::debug!(%error, "days of the request log could not be ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, Side};
    use crate::fact::Fact;
    use crate::fact::packed::PackedFact;
    use crate::id::RequestId;

    #[test]
    fn halves_lose_nothing_and_come_to_an_end() {
        for (facts, bodies) in [(1, 1), (5, 0), (0, 5), (3, 4), (1, 2)] {
            let body = |id| Body { id, side: Side::Request, bytes: bytes::Bytes::new(), cuts: Vec::new() };
            let id = |number| RequestId::new(number, [0; 10]);
            let batch = Batch {
                facts: (0..facts).map(|number| PackedFact::from(&Fact::of(id(number)))).collect(),
                bodies: (0..bodies).map(|number| body(id(number))).collect(),
            };
            let (mut batches, mut singles) = (vec![batch], 0);
            while let Some(batch) = batches.pop() {
                match halve(batch) {
                    Ok((first, second)) => batches.extend([first, second]),
                    Err(single) => singles += single.facts.len() + single.bodies.len(),
                }
            }
            assert_eq!(singles as u64, facts + bodies);
        }
    }
}
