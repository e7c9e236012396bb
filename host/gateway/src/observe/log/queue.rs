//! The bounded queue between the program and the log's reader, and the thread that empties it. A line that finds the
//! queue full is dropped and counted: a stalled reader costs lines, never a request's time.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// The most waiting lines, however short they are.
const MAX_LINES: usize = 16 << 10;
/// Bytes written at once while several lines wait.
const BATCH: usize = 64 << 10;
/// The pause after lines were written, in which the next ones gather. Who queues a line while the thread waits for one
/// has to wake it, which costs more than all else of a line.
const GATHERING: Duration = Duration::from_millis(5);
/// The pause between two checks of a queue that is being flushed, and before a blocked write is repeated.
const PAUSE: Duration = Duration::from_millis(2);

/// A bounded queue of log lines.
#[derive(Debug)]
pub(super) struct Queue {
    lines: SyncSender<Vec<u8>>,
    figures: Arc<Figures>,
    /// The most waiting bytes.
    bound: usize,
}

/// Counters shared with the writing thread.
#[derive(Debug, Default)]
struct Figures {
    /// Bytes that are waiting or being written.
    waiting: AtomicUsize,
    /// Lines dropped so far.
    dropped: AtomicU64,
}

impl Queue {
    /// Creates a queue of `bound` bytes, and starts its thread, which writes to `out`.
    pub(super) fn start(bound: usize, out: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let (lines, waiting) = sync_channel(MAX_LINES);
        let figures = Arc::<Figures>::default();
        let shared = Arc::clone(&figures);
        std::thread::Builder::new().name("weir-log".into()).spawn(move || write_all(&waiting, out, &shared))?;
        Ok(Arc::new(Self { lines, figures, bound }))
    }

    /// Queues a line, or drops it if there is no room.
    fn push(&self, line: &[u8]) {
        let before = self.figures.waiting.fetch_add(line.len(), Ordering::AcqRel);
        // An empty queue accepts a line of any length.
        let has_room = before == 0 || before + line.len() <= self.bound;
        if !has_room || self.lines.try_send(line.to_vec()).is_err() {
            self.figures.waiting.fetch_sub(line.len(), Ordering::AcqRel);
            self.figures.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the queue is empty, at most this long.
    pub(super) fn flush(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        while self.figures.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.figures.dropped.load(Ordering::Relaxed)
    }
}

/// The thread's loop: writes lines until the queue is dropped.
fn write_all(lines: &Receiver<Vec<u8>>, mut out: impl Write, figures: &Figures) {
    let mut reported = 0;
    while let Ok(mut batch) = lines.recv() {
        let mut count = 1;
        while batch.len() < BATCH
            && let Ok(line) = lines.try_recv()
        {
            batch.extend_from_slice(&line);
            count += 1;
        }
        let written = write(&batch, &mut out);
        figures.waiting.fetch_sub(batch.len(), Ordering::AcqRel);
        if batch.len() < BATCH {
            std::thread::sleep(GATHERING);
        }
        if written.is_err() {
            figures.dropped.fetch_add(count, Ordering::Relaxed);
            continue;
        }
        let dropped = figures.dropped.load(Ordering::Relaxed);
        if dropped > reported && figures.waiting.load(Ordering::Acquire) == 0 {
            tracing::warn!(lines = dropped - reported, "the log's reader was too slow: lines were dropped");
            reported = dropped;
        }
    }
}

/// Writes all bytes, pausing while the reader's end is blocked.
fn write(mut bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

/// The queue as a writer for the formatter of lines: each write is one line.
#[derive(Debug, Clone)]
pub(super) struct Lines(pub(super) Arc<Queue>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// A reader that takes one piece per signal, and everything once the signal's sender is gone.
    struct Reader {
        next: Mutex<Receiver<()>>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _released = self.next.lock().unwrap().recv();
            let _gone = self.taken.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (Reader, Sender<()>, Receiver<Vec<u8>>) {
        let (tell, next) = mpsc::channel();
        let (taken, seen) = mpsc::channel();
        (Reader { next: Mutex::new(next), taken }, tell, seen)
    }

    #[test]
    fn a_reader_that_stalls_costs_lines_and_no_time() {
        let (reader, go_on, seen) = stalled();
        let queue = Queue::start(1000, reader).unwrap();
        let mut lines = Lines(Arc::clone(&queue));
        for _ in 0..1000 {
            lines.write_all(&[b'x'; 100]).unwrap();
        }
        assert_eq!(queue.dropped(), 990, "there is room for ten");
        queue.flush(Duration::from_millis(1));
        drop(go_on);
        queue.flush(Duration::from_secs(20));
        assert_eq!(seen.try_iter().flatten().count(), 1000);
        lines.write_all(b"after").unwrap();
        queue.flush(Duration::from_secs(20));
        assert_eq!(seen.try_iter().flatten().collect::<Vec<_>>(), b"after");
        assert_eq!(queue.dropped(), 990);
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (reader, go_on, seen) = stalled();
        let queue = Queue::start(1 << 20, reader).unwrap();
        let text = (0..500).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        text.split_inclusive('\n').for_each(|line| Lines(Arc::clone(&queue)).write_all(line.as_bytes()).unwrap());
        drop(go_on);
        queue.flush(Duration::from_secs(20));
        assert_eq!(seen.try_iter().flatten().collect::<Vec<_>>(), text.as_bytes());
    }

    #[test]
    fn a_line_longer_than_the_queue_is_written() {
        let (reader, go_on, seen) = stalled();
        drop(go_on);
        let queue = Queue::start(10, reader).unwrap();
        Lines(Arc::clone(&queue)).write_all(&[b'x'; 100]).unwrap();
        queue.flush(Duration::from_secs(20));
        assert_eq!((seen.try_iter().flatten().count(), queue.dropped()), (100, 0));
    }

    #[test]
    fn a_reader_that_is_gone_costs_its_lines_only() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let queue = Queue::start(1000, Gone).unwrap();
        Lines(Arc::clone(&queue)).write_all(b"line\n").unwrap();
        queue.flush(Duration::from_secs(20));
        // The drop is counted right after the line has left the queue.
        while queue.dropped() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(queue.dropped(), 1);
    }
}
