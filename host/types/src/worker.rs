//! Which worker a thread belongs to, and state that each worker has for itself: without a lock or a counter that two
//! cores write.

use std::cell::Cell;
use std::num::NonZero;
use std::thread::available_parallelism;

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// The number of this thread's worker; 0 for threads that belong to none.
pub fn number() -> usize {
    WORKER.get()
}

/// Makes this thread one of the worker with this number, which is 1 or more.
pub fn join(number: usize) {
    WORKER.set(number);
}

/// How many workers there are by default: one for each core that the process may use. The quota of a container counts.
pub fn default_count() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// A value for each worker, and one for all threads that belong to none. Workers beyond the default number share
/// values.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[CachePadded<T>]>);

/// Two of them share no cache line: processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct CachePadded<T>(T);

impl<T> PerWorker<T> {
    /// Makes the values.
    pub fn new(value: impl FnMut() -> T) -> Self {
        let values = std::iter::repeat_with(value).take(1 + default_count());
        Self(values.map(CachePadded).collect())
    }

    /// The value of this thread's worker.
    pub fn mine(&self) -> &T {
        &self.0[number() % self.0.len()].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_a_value_of_its_own() {
        let mut next = 0;
        let values = PerWorker::new(|| {
            next += 1;
            next
        });
        let of = |worker| {
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    join(worker);
                    *values.mine()
                });
                thread.join().unwrap()
            })
        };
        assert_eq!((*values.mine(), of(1)), (1, 2));
        let workers = default_count();
        assert_eq!((of(workers), of(workers + 1)), (workers + 1, 1), "a worker too many shares");
    }
}
