//! The queue of facts and bodies: bounded in rows and in bytes, what is being written included.

use std::collections::VecDeque;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::WriterOptions;
use super::condition::Writes;
use super::handover::Handover;
use super::turns::Turns;
use crate::batch::Batch;
use crate::body::{Body, MAX_BODY};
use crate::fact::packed::PackedFact;
use crate::health::{Drops, Health};

#[derive(Debug)]
pub(super) struct Queue {
    handover: Handover<State>,
    options: WriterOptions,
    turns: Turns,
    pub(super) writes: Writes,
}

#[derive(Debug, Default)]
struct State {
    facts: VecDeque<PackedFact>,
    bodies: VecDeque<Body>,
    /// When the oldest of them came.
    since: Option<Instant>,
    /// Rows and bytes, also of the batch that is being written.
    rows: usize,
    bytes: usize,
    /// Rows that were ever taken, and of these, rows that are written or given up.
    taken: u64,
    finished: u64,
    /// Everything up to this row is wanted now.
    wanted: u64,
    /// Set when the queue closes: until when rows may be written.
    deadline: Option<Instant>,
    has_ended: bool,
    written: Counts,
    dropped_facts: Drops,
    dropped_bodies: Drops,
}

/// Facts and bodies by number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) facts: u64,
    pub(super) bodies: u64,
}

/// What the thread does next.
#[derive(Debug)]
pub(super) enum Next {
    Write(Batch),
    /// Nothing came for a while.
    Idle,
    End,
}

impl Queue {
    /// `is_in_process`: whether the store's work is done by the thread that takes from here.
    pub(super) fn new(options: WriterOptions, is_in_process: bool) -> Self {
        let (turns, writes) = (Turns::new(options, is_in_process), Writes::new("log", options));
        Self { handover: Handover::default(), options, turns, writes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.handover.state()
    }

    pub(super) fn push_fact(&self, fact: PackedFact) -> bool {
        let weight = fact.weight();
        let mut state = self.state();
        if !self.admit(&mut state, weight) {
            state.dropped_facts.full += 1;
            return false;
        }
        state.facts.push_back(fact);
        self.wake_if_due(&state);
        true
    }

    /// Facts that found no room.
    pub(super) fn dropped_facts(&self) -> u64 {
        self.state().dropped_facts.full
    }

    pub(super) fn push_body(&self, body: Body) -> bool {
        let weight = body.weight();
        let mut state = self.state();
        if body.bytes.len() > MAX_BODY || !self.admit(&mut state, weight) {
            state.dropped_bodies.full += 1;
            return false;
        }
        state.bodies.push_back(body);
        self.wake_if_due(&state);
        true
    }

    fn admit(&self, state: &mut State, weight: usize) -> bool {
        let is_full = state.rows >= self.options.most_rows || state.bytes + weight > self.options.most_bytes;
        if is_full || state.deadline.is_some() {
            return false;
        }
        state.rows += 1;
        state.bytes += weight;
        state.taken += 1;
        state.since.get_or_insert_with(Instant::now);
        true
    }

    /// Wakes the thread for the first row, to start its time, and where so many wait that they are written at once; a
    /// wake for each row would cost more than the row.
    fn wake_if_due(&self, state: &State) {
        let waiting = state.facts.len() + state.bodies.len();
        if waiting == 1 || waiting == self.turns.full() {
            self.handover.wake();
        }
    }

    /// Waits until much waits, or something that is old enough or wanted now, and takes a turn's part of it.
    pub(super) fn next(&self, idle: Duration) -> Next {
        let mut state = self.state();
        let begun = Instant::now();
        loop {
            let waiting = state.facts.len() + state.bodies.len();
            let age = state.since.map(|since| since.elapsed()).unwrap_or_default();
            let is_due = age >= self.options.flush_every || state.wanted > state.finished || state.deadline.is_some();
            if waiting >= self.turns.full() || (waiting > 0 && is_due) {
                return Next::Write(self.take(&mut state));
            }
            if state.deadline.is_some() {
                return Next::End;
            }
            let left = idle.saturating_sub(begun.elapsed());
            if waiting == 0 && left.is_zero() {
                return Next::Idle;
            }
            let wait = if waiting == 0 { left } else { self.options.flush_every.saturating_sub(age) };
            state = self.handover.sleep(state, wait);
        }
    }

    fn take(&self, state: &mut State) -> Batch {
        let most = self.turns.rows(state.facts.len() + state.bodies.len());
        let facts = state.facts.len().min(most);
        let bodies = state.bodies.len().min(most - facts);
        let batch =
            Batch { facts: state.facts.drain(..facts).collect(), bodies: state.bodies.drain(..bodies).collect() };
        if state.facts.is_empty() && state.bodies.is_empty() {
            state.since = None;
        }
        batch
    }

    /// Frees the room of rows that were written or given up.
    pub(super) fn finish(&self, batch: &Batch, is_written: bool) {
        let facts: usize = batch.facts.iter().map(PackedFact::weight).sum();
        let bodies: usize = batch.bodies.iter().map(Body::weight).sum();
        let counts = Counts { facts: batch.facts.len() as u64, bodies: batch.bodies.len() as u64 };
        let mut state = self.state();
        let rows = batch.facts.len() + batch.bodies.len();
        state.rows = state.rows.saturating_sub(rows);
        state.bytes = state.bytes.saturating_sub(facts + bodies);
        state.finished += rows as u64;
        if is_written {
            state.written.facts += counts.facts;
            state.written.bodies += counts.bodies;
        } else {
            state.dropped_facts.failed += counts.facts;
            state.dropped_bodies.failed += counts.bodies;
        }
        self.handover.done();
    }

    /// Waits after a failure, but not beyond the deadline of a closed queue. Returns whether to try again.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        self.handover.pause(wait, |state| state.deadline)
    }

    pub(super) fn close(&self, deadline: Instant) {
        self.state().deadline.get_or_insert(deadline);
        self.handover.wake();
    }

    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.handover.done();
    }

    pub(super) fn wait_for_end(&self, until: Instant) {
        self.handover.wait_until(until, |state| state.has_ended);
    }

    /// Asks for everything that waits now; the number is what to wait for.
    pub(super) fn want_flush(&self) -> u64 {
        let mut state = self.state();
        state.wanted = state.taken;
        self.handover.wake();
        state.wanted
    }

    pub(super) fn wait_for_flush(&self, wanted: u64, until: Instant) -> bool {
        self.handover.wait_until(until, |state| state.finished >= wanted)
    }

    pub(super) fn report(&self, health: &mut Health) {
        health.log = self.writes.condition();
        let state = self.state();
        health.queued_rows = state.rows as u64;
        health.queued_bytes = state.bytes as u64;
        health.written_facts = state.written.facts;
        health.written_bodies = state.written.bodies;
        health.dropped_facts = state.dropped_facts;
        health.dropped_bodies = state.dropped_bodies;
    }
}
