//! Sums of use on their way to the store, and the thread that writes them. They are merged while they wait, so
//! that an outage costs memory by subject, not by request.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::condition::Writes;
use super::handover::Handover;
use super::sums::Sums;
use super::{Shared, WriterOptions};
use crate::health::Health;
use crate::ledger::{MoneyFlush, Use};
use crate::open_work::{OpenWork, WorkChanges, WorkKey};
use crate::query::gaps::FactCount;

/// Most pieces of work that wait to be written, and most that wait to be removed.
const MOST_WORK: usize = 16_384;

#[derive(Debug)]
pub(super) struct Money {
    handover: Handover<State>,
    most: usize,
    every: Duration,
    writes: Writes,
}

#[derive(Debug, Default)]
struct State {
    sums: Sums,
    /// Work whose use is not booked yet, and work whose use is in the sums.
    work: WorkChanges,
    /// Sums of the flush that is being written.
    in_flight: u64,
    /// Flushes that began and that are over. A wait for a flush is for one that begins later.
    begun: u64,
    finished: u64,
    is_wanted: bool,
    deadline: Option<Instant>,
    has_ended: bool,
    lost: u64,
}

impl State {
    fn pending(&self) -> usize {
        self.sums.len() + self.work.len()
    }

    /// Adds to sums, which are made while there are fewer than `most` sums.
    fn book(&mut self, used: &Use<'_>, most: usize) {
        let room = most.saturating_sub(self.sums.len());
        let lost = self.sums.add(used, room);
        if lost > 0 {
            self.lose(lost as u64, "no room is left");
        }
    }

    /// Counts what is lost. The first loss is logged.
    fn lose(&mut self, count: u64, reason: &str) {
        if self.lost == 0 {
            tracing::error!(reason, "use was not written to the ledger");
        }
        self.lost += count;
    }
}

impl Money {
    pub(super) fn new(options: WriterOptions) -> Self {
        Self {
            handover: Handover::default(),
            most: options.most_sums,
            every: options.money_every,
            writes: Writes::new("money", options),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.handover.state()
    }

    /// Adds to sums what these say, with which this work is booked: both are written together.
    pub(super) fn book(&self, uses: &[Use<'_>], work: Option<WorkKey>) {
        let mut state = self.state();
        for used in uses {
            if state.has_ended {
                state.lose(used.count() as u64, "the writer has ended");
            } else {
                state.book(used, self.most);
            }
        }
        // Beyond that, and after the end, it stays in the store, and is booked again: better that than never.
        if let Some(key) = work.filter(|_| !state.has_ended && state.work.ended.len() < MOST_WORK) {
            state.work.ended.push(key);
        }
    }

    /// Takes work whose use is not booked yet. Returns whether there is room for it.
    pub(super) fn owe(&self, work: OpenWork) -> bool {
        let mut state = self.state();
        let has_room = !state.has_ended && state.work.made.len() < MOST_WORK;
        if has_room {
            state.work.made.push(work);
        }
        has_room
    }

    /// Waits until it is time, and takes everything, without a number yet. None at the end.
    fn next(&self) -> Option<MoneyFlush> {
        let until = Instant::now() + self.every;
        let mut state = self.state();
        while !state.is_wanted && state.deadline.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.handover.sleep(state, left);
        }
        if state.deadline.is_some() && state.pending() == 0 {
            return None;
        }
        state.is_wanted = false;
        state.begun += 1;
        state.in_flight = state.pending() as u64;
        let (sums, work) = (std::mem::take(&mut state.sums), std::mem::take(&mut state.work));
        drop(state);
        Some(MoneyFlush { sums: sums.into_rows(), work, ..MoneyFlush::default() })
    }

    /// Waits after a failure. Returns whether to try again.
    fn pause(&self, wait: Duration) -> bool {
        self.handover.pause(wait, |state| state.deadline)
    }

    fn finish(&self) {
        let mut state = self.state();
        state.in_flight = 0;
        state.finished = state.begun;
        self.handover.done();
    }

    pub(super) fn close(&self, deadline: Instant) {
        self.state().deadline.get_or_insert(deadline);
        self.handover.wake();
    }

    pub(super) fn wait_for_end(&self, until: Instant) {
        self.handover.wait_until(until, |state| state.has_ended);
    }

    pub(super) fn want_flush(&self) -> u64 {
        let mut state = self.state();
        state.is_wanted = true;
        self.handover.wake();
        state.begun + 1
    }

    pub(super) fn wait_for_flush(&self, wanted: u64, until: Instant) -> bool {
        self.handover.wait_until(until, |state| state.finished >= wanted || state.has_ended)
    }

    pub(super) fn report(&self, health: &mut Health) {
        health.money = self.writes.condition();
        let state = self.state();
        health.money_pending = state.pending() as u64 + state.in_flight;
        health.money_lost = state.lost;
    }
}

/// Writes what has come together, time after time, until the end.
pub(super) fn run(shared: &Shared) {
    let (mut number, mut told) = (0, None);
    while let Some(flush) = shared.money.next() {
        // Once a day also without new ones: where a day's numbers begin is what the day before came to.
        let facts = Some(FactCount::now(shared.sequence.load(Ordering::Relaxed))).filter(|count| count.facts > 0);
        if !(flush.sums.is_empty() && flush.work.is_empty() && facts == told) {
            write(shared, &mut number, MoneyFlush { process: shared.process, facts, ..flush });
            told = facts;
        }
        shared.money.finish();
    }
    shared.money.state().has_ended = true;
    shared.money.handover.done();
}

/// Writes a flush under one number for as long as it takes: if it is not known whether it was written, it is not added
/// twice. A flush that the store refuses is halved.
fn write(shared: &Shared, number: &mut u64, flush: MoneyFlush) {
    let money = &shared.money;
    let mut flushes = vec![flush];
    while let Some(mut flush) = flushes.pop() {
        if flush.number == 0 {
            *number += 1;
            flush.number = *number;
        }
        let rows = flush.sums.len() + flush.work.len();
        match money.writes.run(|| shared.store.flush_money(&flush)) {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                if money.pause(money.writes.wait()) {
                    flushes.push(flush);
                } else {
                    money.state().lose(rows as u64, &error.to_string());
                }
            }
            Err(error) if rows <= 1 => money.state().lose(rows as u64, &error.to_string()),
            Err(_) => {
                flushes.push(MoneyFlush { process: shared.process, ..half(&mut flush) });
                flush.number = 0;
                flushes.push(flush);
            }
        }
    }
}

/// Takes half of a flush, which is written after the rest of it: no work goes before it is there, or before its sums
/// are.
fn half(flush: &mut MoneyFlush) -> MoneyFlush {
    let MoneyFlush { sums, work, .. } = flush;
    let WorkChanges { made, ended } = work;
    if sums.is_empty() {
        let (made_from, ended_from) = if made.is_empty() { (0, ended.len() / 2) } else { (made.len().div_ceil(2), 0) };
        let work = WorkChanges { made: made.split_off(made_from), ended: ended.split_off(ended_from) };
        return MoneyFlush { work, ..MoneyFlush::default() };
    }
    if work.is_empty() {
        return MoneyFlush { sums: sums.split_off(sums.len() / 2), ..MoneyFlush::default() };
    }
    MoneyFlush { work: std::mem::take(work), ..MoneyFlush::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LedgerSums, UseRow};
    use crate::writer::sums::MAX_TEXT;

    #[test]
    fn texts_of_any_length_are_booked_as_they_are_stored() {
        let money = Money::new(WriterOptions { most_sums: 2, ..WriterOptions::default() });
        let sums = LedgerSums { units: 1, ..LedgerSums::default() };
        let rows = [UseRow { subjects: 1, price_dim: "", bucket: "input", sums }];
        let of = |served| Use { hour: 1, subjects: &[("key:", "s")], provider: "", served, rows: &rows };
        let (long, longer) = ("x".repeat(MAX_TEXT + 1), "x".repeat(MAX_TEXT + 2));
        money.book(&[of(&long), of("m"), of("m\0")], None);
        money.book(&[of(&longer), of("other")], None);
        let mut state = money.state();
        let rows = std::mem::take(&mut state.sums).into_rows();
        let mut sums: Vec<_> = rows.iter().map(|(key, sums)| (key.served.len(), sums.units)).collect();
        sums.sort_unstable();
        assert_eq!((sums, state.lost), (vec![(1, 2), (MAX_TEXT, 2)], 1));
    }
}
