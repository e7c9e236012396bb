//! `cargo xtask simulate-leases`: cells of fifty nodes under load, with the state machines that serve requests and a
//! clock of its own. Prints the tables of `docs/scale.md`.
#![allow(clippy::print_stdout, reason = "a program that prints tables")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use weir_lease::{Kind, Link, NodeStatus, Pool, Report, Share};

const NODES: usize = 50;
/// A round trip to the server.
const TRIP: u64 = 1;
/// How often a node reports, in milliseconds.
const INTERVAL: u64 = 1_000;
/// How long a request waits for a lease that its cell has to ask for, in milliseconds.
const TIMEOUT: u64 = 250;

/// Xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A key of so many, of which the n-th is used about 1/n as often as the first.
    fn key(&mut self, keys: usize) -> u32 {
        ((keys as f64).powf(self.part()) as u32).saturating_sub(1)
    }
}

/// What one node counts of one pool.
#[derive(Default)]
struct Local {
    share: Share,
    used: u64,
}

/// A node's shares, by the pool's number.
#[derive(Default)]
struct Node {
    shares: HashMap<u32, Local>,
    /// Reported at once.
    urgent: HashSet<u32>,
}

/// A cell: its nodes and its server.
struct Cell {
    nodes: Vec<Node>,
    pools: HashMap<u32, Pool>,
    kind: Kind,
    /// The limit of each pool.
    limit: u64,
    reports: u64,
    rounds: u64,
}

impl Cell {
    fn new(kind: Kind, limit: u64) -> Self {
        let nodes = (0..NODES).map(|_| Node::default()).collect();
        Self { nodes, pools: HashMap::new(), kind, limit, reports: 0, rounds: 0 }
    }

    fn status(at: Duration) -> NodeStatus {
        NodeStatus { at, link: Link::Well, nodes: NODES as u32 }
    }

    /// Whether a node serves a request from its share. If not, it asks for more.
    fn serves(&mut self, node: usize, pool: u32, at: Duration) -> bool {
        let Node { shares, urgent } = &mut self.nodes[node];
        let local = shares.entry(pool).or_default();
        if local.share.room(local.used, 0, self.limit, &Self::status(at)) == 0 {
            local.share.lacks(1);
            urgent.insert(pool);
            return false;
        }
        local.used += 1;
        if local.share.took(1, local.used, self.limit, at) {
            urgent.insert(pool);
        }
        true
    }

    /// A node's round: of what is urgent, or of everything.
    fn round(&mut self, node: usize, only_urgent: bool, at: Duration) {
        let name = format!("node-{node}");
        let Node { shares, urgent } = &mut self.nodes[node];
        let named: Vec<u32> = if only_urgent { urgent.drain().collect() } else { shares.keys().copied().collect() };
        if !only_urgent {
            urgent.clear();
        }
        let before = self.reports;
        for pool in named {
            let Some(local) = shares.get_mut(&pool) else { continue };
            let report: Option<Report> = local.share.report(local.used, self.limit, self.kind, at);
            if let Some(report) = report {
                self.reports += 1;
                let granting = self.pools.entry(pool).or_insert_with(|| Pool::new(self.kind, 1));
                if let Some(answer) = granting.exchange(self.limit, &name, &report, NODES as u32, at) {
                    local.share.answered(answer, at);
                }
            }
        }
        self.rounds += u64::from(self.reports > before);
        if !only_urgent {
            shares.retain(|_, local| !local.share.is_idle(local.used, at));
        }
    }

    /// The rounds of one millisecond: of nodes whose second it is, and of those with something urgent.
    fn rounds_at(&mut self, millis: u64, at: Duration) {
        for node in 0..NODES {
            let is_due = millis % INTERVAL == node as u64 * INTERVAL / NODES as u64;
            if is_due || !self.nodes[node].urgent.is_empty() {
                self.round(node, !is_due, at);
            }
        }
    }

    fn used(&self) -> u64 {
        self.nodes.iter().flat_map(|node| node.shares.values()).map(|local| local.used).sum()
    }
}

/// One limit that all nodes of a cell use up, by requests that are spread evenly: how exact it is, and what it costs.
fn exactness(seed: u64) {
    println!(
        "| a budget of requests | requests a second | served | asked first | refused first at | used up | reports a second |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (limit, rate) in [(10, 1_000), (100, 1_000), (10_000, 1_000), (100_000, 10_000), (1_000_000, 100_000)] {
        let (mut random, mut cell) = (Random(seed), Cell::new(Kind::Window, limit));
        let (mut served, mut waited, mut asked) = (0_u64, 0_u64, 0_u64);
        let mut first_refusal = None;
        let mut waiting: Vec<(usize, u64)> = Vec::new();
        let mut millis = 0;
        while served < limit && millis < 60_000 {
            let at = Duration::from_secs(1_000) + Duration::from_millis(millis);
            for (node, since) in std::mem::take(&mut waiting) {
                if cell.serves(node, 0, at) {
                    served += 1;
                } else if millis >= since + 2 * TRIP {
                    first_refusal.get_or_insert(served);
                } else {
                    waiting.push((node, since));
                }
            }
            for _ in 0..requests_in(millis, rate) {
                let node = random.below(NODES);
                asked += 1;
                if cell.serves(node, 0, at) {
                    served += 1;
                } else {
                    waited += 1;
                    waiting.push((node, millis));
                }
            }
            cell.rounds_at(millis, at);
            millis += 1;
        }
        assert!(cell.used() <= limit, "leases never exceed a limit");
        let percent = |part: u64, whole: u64| format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64);
        println!(
            "| {limit} | {rate} | {served} | {} | {} | after {:.1} s | {:.0} |",
            percent(waited, asked),
            percent(first_refusal.unwrap_or(limit), limit),
            millis as f64 / 1e3,
            cell.reports as f64 / (millis as f64 / 1e3)
        );
    }
}

/// Requests that arrive in one millisecond at a rate for each second.
fn requests_in(millis: u64, rate: u64) -> u64 {
    (millis + 1) * rate / 1_000 - millis * rate / 1_000
}

/// A million keys with a limit each, over four cells: each key's requests go to one cell, and there to any node, or to
/// the same one.
fn keys(seed: u64, is_pinned: bool) {
    const CELLS: usize = 4;
    const KEYS: usize = 1_000_000;
    const RATE: u64 = 100_000;
    const SECONDS: u64 = 10;
    let mut random = Random(seed);
    let mut cells: Vec<Cell> = (0..CELLS).map(|_| Cell::new(Kind::Bucket, 60_000)).collect();
    let (mut waited, mut refused) = (0_u64, 0_u64);
    let mut waiting: Vec<(usize, usize, u32)> = Vec::new();
    for millis in 0..SECONDS * 1_000 {
        let at = Duration::from_secs(1_000) + Duration::from_millis(millis);
        for (cell, node, key) in std::mem::take(&mut waiting) {
            refused += u64::from(!cells[cell].serves(node, key, at));
        }
        for _ in 0..requests_in(millis, RATE) {
            let key = random.key(KEYS);
            let cell = key as usize % CELLS;
            let node = if is_pinned { key as usize / CELLS % NODES } else { random.below(NODES) };
            if !cells[cell].serves(node, key, at) {
                waited += 1;
                waiting.push((cell, node, key));
            }
        }
        for cell in &mut cells {
            cell.rounds_at(millis, at);
        }
    }
    let requests = RATE * SECONDS;
    let shares: usize = cells.iter().flat_map(|cell| &cell.nodes).map(|node| node.shares.len()).sum();
    let reports: u64 = cells.iter().map(|cell| cell.reports).sum();
    let rounds: u64 = cells.iter().map(|cell| cell.rounds).sum();
    let a_share = size_of::<Local>() + size_of::<u32>();
    println!(
        "| {} | {:.1} % | {refused} | {} | {} KiB | {:.0} | {:.0} |",
        if is_pinned { "one node" } else { "any node of its cell" },
        100.0 * waited as f64 / requests as f64,
        shares / (CELLS * NODES),
        shares * a_share / (CELLS * NODES) / 1024,
        reports as f64 / (CELLS as u64 * SECONDS) as f64,
        rounds as f64 / (CELLS as u64 * SECONDS) as f64,
    );
}

/// A cell's lease of a budget that is global. To its nodes, the cell's server is the pool, whose limit is what the cell
/// has leased; to the global pool, the cell is a node, whose use is all that its server has ever granted.
#[derive(Default)]
struct Lease {
    share: Share,
    granted: u64,
    /// What the server could not grant to the last report of each node since the last round trip.
    lacking: BTreeMap<usize, u64>,
}

impl Lease {
    /// What the cell's nodes may use together.
    fn limit(&self, budget: u64, status: &NodeStatus) -> u64 {
        self.granted + self.share.room(self.granted, 0, budget, status)
    }

    /// Notes what the server has granted by this answer to a report that lacked something.
    fn took(&mut self, left: i64, limit: u64, budget: u64, at: Duration) {
        let granted = limit.saturating_sub(u64::try_from(left).unwrap_or_default()).max(self.granted);
        if granted > self.granted {
            let amount = granted - self.granted;
            self.granted = granted;
            self.share.took(amount, granted, budget, at);
        }
    }
}

/// Cells whose nodes share one budget.
struct Cells {
    budget: u64,
    leased: Vec<(Cell, Lease)>,
    global: Pool,
    /// Reports of cells to the global pool.
    reports: u64,
}

impl Cells {
    fn new(cells: usize, budget: u64) -> Self {
        let leased = (0..cells).map(|_| (Cell::new(Kind::Window, budget), Lease::default())).collect();
        Self { budget, leased, global: Pool::new(Kind::Window, 1), reports: 0 }
    }

    fn status(&self, at: Duration) -> NodeStatus {
        NodeStatus { at, link: Link::Well, nodes: self.leased.len() as u32 }
    }

    /// The rounds of one millisecond: nodes report to their cells, and cells, ten times a second at most, to the global
    /// pool.
    fn rounds_at(&mut self, millis: u64, at: Duration) {
        let status = self.status(at);
        for (cell, lease) in &mut self.leased {
            for node in 0..NODES {
                let is_due = millis % INTERVAL == node as u64 * INTERVAL / NODES as u64;
                if is_due || !cell.nodes[node].urgent.is_empty() {
                    report_to_lease(cell, lease, node, self.budget, &status);
                }
            }
        }
        for number in 0..self.leased.len() {
            if (millis + number as u64 * 7).is_multiple_of(100) {
                self.report(number, at);
            }
        }
    }

    fn report(&mut self, number: usize, at: Duration) {
        let nodes = self.leased.len() as u32;
        let (_, lease) = &mut self.leased[number];
        lease.share.lacks(std::mem::take(&mut lease.lacking).into_values().sum());
        let Some(report) = lease.share.report(lease.granted, self.budget, Kind::Window, at) else { return };
        self.reports += 1;
        if let Some(answer) = self.global.exchange(self.budget, &number.to_string(), &report, nodes, at) {
            lease.share.answered(answer, at);
        }
    }
}

/// A node's report of the one pool to its cell's server, which grants what the cell has leased.
fn report_to_lease(cell: &mut Cell, lease: &mut Lease, node: usize, budget: u64, status: &NodeStatus) {
    let limit = lease.limit(budget, status);
    let Node { shares, urgent } = &mut cell.nodes[node];
    urgent.clear();
    let Some(local) = shares.get_mut(&0) else { return };
    let Some(report) = local.share.report(local.used, budget, Kind::Window, status.at) else { return };
    cell.reports += 1;
    let pool = cell.pools.entry(0).or_insert_with(|| Pool::new(Kind::Window, 1));
    let Some(answer) = pool.exchange(limit, &format!("node-{node}"), &report, NODES as u32, status.at) else {
        return;
    };
    let wished = report.used.max(report.ceiling) + report.short + report.ahead;
    lease.lacking.insert(node, wished.saturating_sub(answer.ceiling));
    lease.took(answer.left, limit, budget, status.at);
    local.share.answered(answer, status.at);
}

/// One budget over cells: its requests go to any node of any cell.
fn global(seed: u64) {
    println!(
        "| cells of {NODES} nodes | budget | requests a second | served | refused first at | used up | reports a second and cell | reports to the global pool a second |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (count, budget, rate) in [(4, 100_000, 10_000_u64), (20, 1_000_000, 100_000)] {
        let (mut random, mut all) = (Random(seed), Cells::new(count, budget));
        let (mut served, mut first_refusal, mut millis) = (0_u64, None, 0_u64);
        let mut waiting: Vec<(usize, usize, u64)> = Vec::new();
        while served < budget && millis < 120_000 {
            let at = Duration::from_secs(1_000) + Duration::from_millis(millis);
            for (cell, node, since) in std::mem::take(&mut waiting) {
                if all.leased[cell].0.serves(node, 0, at) {
                    served += 1;
                } else if millis >= since + TIMEOUT {
                    first_refusal.get_or_insert(served);
                } else {
                    waiting.push((cell, node, since));
                }
            }
            for _ in 0..requests_in(millis, rate) {
                let (cell, node) = (random.below(count), random.below(NODES));
                if all.leased[cell].0.serves(node, 0, at) {
                    served += 1;
                } else {
                    waiting.push((cell, node, millis));
                }
            }
            all.rounds_at(millis, at);
            millis += 1;
        }
        let used: u64 = all.leased.iter().map(|(cell, _)| cell.used()).sum();
        assert!(used <= budget && used == served, "leases never exceed a budget");
        let seconds = millis as f64 / 1e3;
        let reports: u64 = all.leased.iter().map(|(cell, _)| cell.reports).sum();
        println!(
            "| {count} | {budget} | {rate} | {served} | {:.2} % | after {seconds:.1} s | {:.0} | {:.0} |",
            100.0 * first_refusal.unwrap_or(budget) as f64 / budget as f64,
            reports as f64 / seconds / count as f64,
            all.reports as f64 / seconds
        );
    }
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(14);
    println!(
        "One cell of {NODES} nodes, one budget, requests to any node, {TRIP} ms to the server and back (seed {seed}):\n"
    );
    exactness(seed);
    println!(
        "\nFour cells of {NODES} nodes, a million keys with 60,000 requests a minute each, 100,000 requests a second:\n"
    );
    println!(
        "| a key's requests go to | asked first | refused | shares a node | their memory | reports a second and cell | rounds |"
    );
    println!("|---|---|---|---|---|---|---|");
    keys(seed, false);
    keys(seed, true);
    println!(
        "\nOne budget over cells, requests to any node; a cell's server leases from a global pool ten times a second at most:\n"
    );
    global(seed);
}
