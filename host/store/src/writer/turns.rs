//! How much of what waits is written at once.

use super::WriterOptions;

/// Fewest rows of a turn: a transaction costs about as much as twenty.
const MIN_ROWS: usize = 64;
/// Most rows of a turn: half a millisecond's work.
const MAX_ROWS: usize = 256;
/// A turn takes this part of what waits.
const SHARE: usize = 8;

/// The rows of a transaction. A database elsewhere gets as many as it may, since each transaction is a round trip and a
/// write to its disk. A store whose work is done by the writer's own thread gets few, since requests wait for the rest
/// of a turn on a core that is fully used. A turn comes about every scheduler's tick there, so turns grow with what
/// waits, until they keep up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    least: usize,
    most: usize,
    full: usize,
}

impl Turns {
    pub(super) fn new(options: WriterOptions, is_in_process: bool) -> Self {
        let all = options.batch_rows;
        if !is_in_process {
            return Self { least: all, most: all, full: all };
        }
        Self { least: MIN_ROWS.min(all), most: MAX_ROWS.min(all), full: (MAX_ROWS * SHARE).min(all) }
    }

    /// So many rows are written at once, however short they have waited.
    pub(super) fn full(self) -> usize {
        self.full
    }

    /// Most rows to write next, of so many that wait.
    pub(super) fn rows(self, waiting: usize) -> usize {
        (waiting / SHARE).clamp(self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(batch_rows: usize, is_in_process: bool) -> Turns {
        Turns::new(WriterOptions { batch_rows, ..WriterOptions::default() }, is_in_process)
    }

    #[test]
    fn turns_of_the_writers_own_thread_grow_with_what_waits_up_to_a_bound() {
        let turns = of(4_096, true);
        let rows = [0, 500, 1_200, 2_048, 65_536].map(|waiting| turns.rows(waiting));
        assert_eq!((rows, turns.full()), ([64, 64, 150, 256, 256], 2_048));
    }

    #[test]
    fn a_database_elsewhere_gets_whole_batches_and_no_turn_exceeds_the_setting() {
        assert_eq!((of(4_096, false).rows(1), of(4_096, false).full()), (4_096, 4_096));
        for batch_rows in [1, 30, 100] {
            let turns = of(batch_rows, true);
            assert!([0, 100, 65_536].iter().all(|waiting| (1..=batch_rows).contains(&turns.rows(*waiting))));
            assert_eq!(turns.full(), batch_rows);
        }
    }
}
