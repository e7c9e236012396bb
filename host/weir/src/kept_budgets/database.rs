//! The counts of budgets in the store's database, where all nodes count together: this one adds what it has counted
//! since, and takes in what the others have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::file::BudgetFile;
use weir_gateway::admission::budgets::Budgets;
use weir_ledger::{Correction, CountsId, Row, StoredRows, Timestamp, former_shapes, is_shape};
use weir_store::{
    BudgetAnswer, BudgetChange, BudgetCount, BudgetExchange, BudgetWindow, RenamedShape, Store, StoreError,
};

/// How long the counts of a window are known after another one of its length, in seconds, as in the store.
const KEPT_FOR: i64 = 3_600;
/// After so many exchanges, windows that ended long ago are forgotten.
const FORGET_EVERY: u64 = 600;

/// The counts in a database.
#[derive(Debug)]
pub(super) struct BudgetDatabase {
    store: Arc<dyn Store>,
    process: i64,
    /// How many exchanges were begun.
    number: u64,
    /// The version of the counts that were read.
    version: u64,
    known: HashMap<BudgetWindow, Known>,
    /// [`weir_ledger::Budget::shape`] by name, of the budgets that are counted.
    shapes: BTreeMap<String, String>,
    /// The shapes that the database has been sent.
    told: BTreeMap<String, String>,
    /// The generation of the budgets that have these shapes.
    generation: Option<u64>,
    /// An exchange of which it is not known whether it was made, or one that is about to be.
    begun: Option<BudgetExchange>,
    /// What this node kept in a file before the database kept it.
    before: Option<(BudgetFile, StoredRows)>,
}

/// What is known of a window.
#[derive(Debug)]
struct Known {
    /// Used by all nodes.
    used: i64,
    end: Option<i64>,
    /// Whether this process counts it, so that its own count has that.
    is_counted: bool,
    /// Which count of this process that is, if it is known.
    counts: Option<CountsId>,
}

impl BudgetDatabase {
    pub(super) fn new(store: Arc<dyn Store>, before: Option<(BudgetFile, StoredRows)>) -> Self {
        let mut bytes = [0; 8];
        // Without it, two processes of one database may be taken for one.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = Timestamp::now().as_nanosecond().to_le_bytes().first_chunk().copied().unwrap_or_default();
        }
        Self {
            store,
            process: i64::from_le_bytes(bytes),
            number: 0,
            version: 0,
            known: HashMap::new(),
            shapes: BTreeMap::new(),
            told: BTreeMap::new(),
            generation: None,
            begun: None,
            before,
        }
    }

    /// Adds what was counted since the last time, and takes in what other nodes have counted; returns how many changes
    /// were sent.
    pub(super) fn flush(&mut self, budgets: &Budgets) -> Result<usize, StoreError> {
        self.follow(budgets);
        let exchange = match self.begun.take() {
            Some(exchange) => exchange,
            None => self.exchange(budgets, false),
        };
        let changes = exchange.changes.len();
        if self.exchange_once(budgets, exchange)? {
            return Ok(changes);
        }
        // Whatever the store has lost, this node still knows.
        tracing::warn!("the counts of budgets were put back to an older state; what this node knows of them is kept");
        (self.version, self.generation) = (0, None);
        self.told.clear();
        self.known.retain(|_, known| known.is_counted);
        self.follow(budgets);
        let exchange = self.exchange(budgets, true);
        let changes = exchange.changes.len();
        self.exchange_once(budgets, exchange).map(|_| changes)
    }

    /// Makes an exchange, which is kept until it is answered. False if the store was put back.
    fn exchange_once(&mut self, budgets: &Budgets, exchange: BudgetExchange) -> Result<bool, StoreError> {
        let answer = self.store.exchange_budgets(self.begun.insert(exchange))?;
        let Some(exchange) = self.begun.take() else { return Ok(true) };
        let BudgetAnswer::Counts { version, counts } = answer else { return Ok(false) };
        let told = exchange.changes.iter().map(|change| (&change.count.window, change.count.used)).collect();
        self.version = version;
        if exchange.number.is_multiple_of(FORGET_EVERY) {
            self.forget(budgets);
        }
        let (windows, corrections): (Vec<_>, Vec<_>) = self.take_in(counts, &told).into_iter().unzip();
        self.correct(budgets, &windows, &corrections);
        if let Some((file, _)) = self.before.take()
            && let Err(error) = file.put_aside()
        {
            tracing::error!(%error, "the file of budgets, which the database has taken over, cannot be put aside: remove it");
        }
        Ok(true)
    }

    /// What changed since the last exchange; with `at_least` all that is known.
    fn exchange(&mut self, budgets: &Budgets, at_least: bool) -> BudgetExchange {
        let changes = match &self.before {
            // First, and alone: it is no use of this process.
            Some((_, rows)) => of_file(rows, &self.shapes).collect(),
            None => self.changes(budgets, if at_least { budgets.rows().rows } else { budgets.changes() }),
        };
        self.number += 1;
        let renamed = self.renamed();
        BudgetExchange { process: self.process, number: self.number, since: self.version, changes, renamed, at_least }
    }

    /// The shapes, as former versions wrote them, of the budgets that there were not at the exchange before.
    fn renamed(&mut self) -> Vec<RenamedShape> {
        let fresh = self.shapes.iter().filter(|(budget, to)| self.told.get(*budget) != Some(*to));
        let from = |(budget, to): (&String, &String)| {
            let renamed = |from: &&str| **from != **to;
            let [unmade, unscoped] = former_shapes(to);
            let former = [unmade, unscoped].into_iter().filter(renamed).map(str::to_owned);
            former.map(|from| RenamedShape { budget: budget.clone(), from, to: to.clone() }).collect::<Vec<_>>()
        };
        let renamed = fresh.flat_map(from).collect();
        self.told.clone_from(&self.shapes);
        renamed
    }

    fn changes(&mut self, budgets: &Budgets, rows: Vec<Row>) -> Vec<BudgetChange> {
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            match self.change(&row) {
                Some(change) => changes.push(change),
                // Its budget is newer than the shapes: then it waits for these.
                None => budgets.give_back(&[row]),
            }
        }
        changes
    }

    /// Counts here what others have counted in these windows; all of it where the counts of before were dropped.
    fn correct(&mut self, budgets: &Budgets, windows: &[BudgetWindow], corrections: &[Correction]) {
        let mut lacking = Vec::new();
        for ((window, correction), counts) in windows.iter().zip(corrections).zip(budgets.correct(corrections)) {
            let Some(known) = self.known.get_mut(window) else { continue };
            let before = std::mem::replace(&mut known.counts, counts);
            if counts.is_some() && before.is_some_and(|before| Some(before) != counts) {
                lacking.push(Correction { change: known.used - correction.change, ..correction.clone() });
            }
        }
        budgets.correct(&lacking);
    }

    fn change(&mut self, row: &Row) -> Option<BudgetChange> {
        let window = self.window(row)?;
        let used = amount(row.total());
        let known = self.known.entry(window.clone()).or_insert(Known {
            used: 0,
            end: row.end,
            is_counted: true,
            counts: Some(row.counts()),
        });
        let is_same = known.is_counted && known.counts.is_none_or(|counts| counts == row.counts());
        let added = used.saturating_sub(if is_same { known.used } else { 0 });
        (known.counts, known.is_counted) = (Some(row.counts()), true);
        Some(BudgetChange { count: BudgetCount { window, end: row.end, used }, added })
    }

    fn window(&self, row: &Row) -> Option<BudgetWindow> {
        let shape = self.shapes.get(&*row.budget)?.clone();
        Some(BudgetWindow { budget: row.budget.to_string(), shape, start: row.start })
    }

    /// Takes in what changed in the database. `told` is what this process had counted in all when it asked.
    fn take_in(
        &mut self,
        counts: Vec<BudgetCount>,
        told: &HashMap<&BudgetWindow, i64>,
    ) -> Vec<(BudgetWindow, Correction)> {
        let now = Timestamp::now().as_second();
        let mut corrections = Vec::new();
        for BudgetCount { window, end, used } in counts {
            let is_here = self.shapes.get(&window.budget) == Some(&window.shape) && end.is_none_or(|end| end > now);
            let known = self.known.get(&window);
            let was_counted = known.is_some_and(|known| known.is_counted);
            let counted = told.get(&window).copied().filter(|_| was_counted);
            let counted =
                counted.or(known.filter(|known| known.is_counted).map(|known| known.used)).unwrap_or_default();
            let is_counted = is_here || was_counted;
            if is_counted && used != counted {
                corrections.push((window.clone(), correction(&window, end, used - counted)));
            }
            let counts = known.and_then(|known| known.counts);
            self.known.insert(window, Known { used, end, is_counted, counts });
        }
        corrections
    }

    /// Forgets windows that ended long ago, unless this process still has their counts: a clock that was ahead finds
    /// them again, and all that is in them would be added once more.
    fn forget(&mut self, budgets: &Budgets) {
        let after = Timestamp::now().as_second() - KEPT_FOR;
        let counted: HashMap<BudgetWindow, CountsId> = self.counted(&budgets.rows().rows);
        self.known.retain(|window, known| {
            known.end.is_none_or(|end| end.saturating_add(end - window.start) > after) || counted.contains_key(window)
        });
    }

    fn counted(&self, rows: &[Row]) -> HashMap<BudgetWindow, CountsId> {
        rows.iter().filter_map(|row| Some((self.window(row)?, row.counts()))).collect()
    }

    /// Follows which budgets there are: what the database has of new ones counts here, what it has of others waits.
    fn follow(&mut self, budgets: &Budgets) {
        let generation = budgets.generation();
        if self.generation == Some(generation) {
            return;
        }
        let all = budgets.rows();
        (self.generation, self.shapes) = (Some(generation), all.shapes);
        let now = Timestamp::now().as_second();
        let counted = self.counted(&all.rows);
        let (mut windows, mut corrections) = (Vec::new(), Vec::new());
        for (window, known) in &mut self.known {
            let counts = counted.get(window).copied();
            if known.is_counted && counts.is_some() && (known.counts.is_none() || known.counts == counts) {
                known.counts = counts;
                continue;
            }
            known.counts = counts;
            known.is_counted =
                self.shapes.get(&window.budget) == Some(&window.shape) && known.end.is_none_or(|end| end > now);
            if known.is_counted {
                windows.push(window.clone());
                corrections.push(correction(window, known.end, known.used));
            }
        }
        self.correct(budgets, &windows, &corrections);
    }
}

fn correction(window: &BudgetWindow, end: Option<i64>, change: i64) -> Correction {
    Correction { budget: window.budget.as_str().into(), start: window.start, end, change }
}

/// What a file has, as changes that this node adds.
fn of_file<'a>(rows: &'a StoredRows, shapes: &'a BTreeMap<String, String>) -> impl Iterator<Item = BudgetChange> + 'a {
    let now = Timestamp::now().as_second();
    rows.rows.iter().filter(move |row| row.end.is_none_or(|end| end > now)).filter_map(|row| {
        let kept = rows.shapes.get(&*row.budget)?;
        // A former version wrote it.
        let renamed = shapes.get(&*row.budget).filter(|shape| is_shape(kept, shape));
        let shape = renamed.unwrap_or(kept).clone();
        let window = BudgetWindow { budget: row.budget.to_string(), shape, start: row.start };
        let used = amount(row.total());
        Some(BudgetChange { count: BudgetCount { window, end: row.end, used }, added: used })
    })
}

fn amount(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
