//! One runtime for each core. A connection stays with the worker that got it, so an exchange wakes no other core:
//! neither its client's connection, nor the one to its provider, nor its tasks leave the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};

use weir_types::{busy, worker};

/// The runtimes that serve connections. Dropping it stops them, without waiting for what they still run.
#[derive(Debug)]
pub struct Workers {
    runtimes: Vec<Runtime>,
    workers: Arc<[Worker]>,
}

/// One of the runtimes.
#[derive(Debug)]
struct Worker {
    handle: Handle,
    /// Its open connections.
    connections: AtomicUsize,
}

/// Distributes connections over workers.
#[derive(Debug, Clone)]
pub struct Spread(Arc<[Worker]>);

/// A connection's place with a worker, given back on drop.
#[derive(Debug)]
pub(super) struct Seat {
    workers: Arc<[Worker]>,
    index: usize,
}

impl Workers {
    /// Starts `count` runtimes, at least one, each with one thread on which its tasks run, and more for what blocks.
    pub fn start(count: usize) -> std::io::Result<Self> {
        let runtimes = (1..=count.max(1)).map(start).collect::<std::io::Result<Vec<_>>>()?;
        let worker = |runtime: &Runtime| Worker { handle: runtime.handle().clone(), connections: AtomicUsize::new(0) };
        let workers = runtimes.iter().map(worker).collect();
        Ok(Self { runtimes, workers })
    }

    /// Distributes connections over these workers.
    pub fn spread(&self) -> Spread {
        Spread(Arc::clone(&self.workers))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Waiting is not allowed where this may be dropped; and whatever had to end has been waited for.
        self.runtimes.drain(..).for_each(Runtime::shutdown_background);
    }
}

/// Starts the runtime of a worker. It is one that can hand its tasks to another thread while a call of a guest takes
/// long.
fn start(number: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(format!("weir-worker-{number}"))
        .on_thread_start(move || worker::join(number))
        .on_thread_park(busy::worker_waits)
        .enable_all()
        .build()
}

impl Spread {
    /// All connections stay with the runtime of the caller.
    pub fn here() -> Self {
        Self(Arc::new([Worker { handle: Handle::current(), connections: AtomicUsize::new(0) }]))
    }

    /// A place with the worker that has the fewest connections.
    pub(super) fn seat(&self) -> Seat {
        let connections = |index: &usize| self.0[*index].connections.load(Ordering::Relaxed);
        let index = (0..self.0.len()).min_by_key(connections).unwrap_or_default();
        self.0[index].connections.fetch_add(1, Ordering::Relaxed);
        Seat { workers: Arc::clone(&self.0), index }
    }
}

impl Seat {
    /// The worker's runtime.
    pub(super) fn runtime(&self) -> &Handle {
        &self.workers[self.index].handle
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.workers[self.index].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_to_the_worker_that_has_the_fewest() {
        let workers = Workers::start(3).unwrap();
        let spread = workers.spread();
        let mut seats: Vec<_> = (0..6).map(|_| spread.seat()).collect();
        assert_eq!(seats.iter().map(|seat| seat.index).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        drop(seats.remove(1));
        assert_eq!(spread.seat().index, 1);
    }

    #[test]
    fn a_task_runs_on_its_worker_and_may_block_there() {
        let workers = Workers::start(2).unwrap();
        let seat = (workers.spread().seat(), workers.spread().seat());
        let (sent, numbers) = std::sync::mpsc::channel();
        let blocks = sent.clone();
        seat.1.runtime().spawn(async move {
            tokio::task::block_in_place(|| blocks.send(worker::number()).unwrap());
            // The rest of the task, and the others of its worker, run on another thread of the same worker.
            tokio::task::yield_now().await;
            blocks.send(worker::number()).unwrap();
        });
        assert_eq!((numbers.recv().unwrap(), numbers.recv().unwrap()), (2, 2));
        seat.0.runtime().spawn(async move { sent.send(worker::number()).unwrap() });
        assert_eq!(numbers.recv().unwrap(), 1);
    }
}
