//! Nodes of two versions on one server, as while nodes are upgraded one after the other: the first form of the script,
//! of its arguments and of its answer, which stay as they are here, beside the present ones.

use weir_lease::{Answer, Before, Kind, Link, NodeStatus, Share};

use super::*;

/// The script as the first version had it.
const FIRST: &str = include_str!("../../fixtures/exchange-1.lua");

/// The arguments as the first version sent them.
fn first_arguments(request: &PoolRequest) -> Vec<String> {
    let report = &request.report;
    let kind = match request.kind {
        Kind::Window => "w",
        Kind::Bucket => "b",
        Kind::Places => "p",
    };
    let (before, before_used) = report.before.as_ref().map_or(("", 0), |before| (before.entry.as_str(), before.used));
    let mut all = vec![kind.to_owned(), request.limit.to_string(), request.entry.clone()];
    let known = u64::from(report.is_known);
    let amounts = [report.seq, report.used, report.ceiling, report.short, report.ahead, known];
    all.extend(amounts.map(|amount| amount.to_string()));
    all.extend([report.generation, report.gone].map(|number| number.to_string()));
    all.extend([before.to_owned(), before_used.to_string(), request.nodes.to_string()]);
    all.extend(["6000".to_owned(), request.kept.map_or(0, |kept| kept.as_millis()).to_string()]);
    all
}

/// The answer as the first version read it.
fn first_answer(row: &[String]) -> Option<Answer> {
    let [ceiling, others, gone, left, nodes, generation, _now] = row else {
        assert!(row.is_empty(), "an answer of another shape: {row:?}");
        return None;
    };
    Some(Answer {
        ceiling: ceiling.parse().unwrap(),
        others: others.parse().unwrap(),
        gone: gone.parse().unwrap(),
        left: left.parse().unwrap(),
        nodes: nodes.parse().unwrap(),
        generation: generation.parse().unwrap(),
    })
}

struct Node {
    share: Share,
    used: u64,
    entry: String,
    /// Of the first version.
    is_first: bool,
}

impl Node {
    fn new(number: u32, is_first: bool) -> Self {
        Self { share: Share::default(), used: 0, entry: format!("node-{number}"), is_first }
    }
}

/// Nodes that share one pool.
struct Fleet {
    nodes: Vec<Node>,
    kind: Kind,
    limit: u64,
    begun: Instant,
    runtime: Runtime,
    server: PoolServer,
    connection: redis::Connection,
    /// The pool, apart from those of other tests.
    _redis: Redis,
}

impl Fleet {
    /// Four nodes, each other one of the first version.
    fn new(kind: Kind, limit: u64) -> Option<Self> {
        let redis = Redis::start(&[])?;
        let connection = redis::Client::open(redis.address()).unwrap().get_connection().unwrap();
        let nodes = (0..4).map(|number| Node::new(number, number % 2 == 0)).collect();
        let (runtime, server, begun) = (Runtime::new().unwrap(), redis.server(), Instant::now());
        Some(Self { nodes, kind, limit, begun, runtime, server, connection, _redis: redis })
    }

    fn status(&self) -> NodeStatus {
        // Some time after the clock began, as shares measure their pace.
        NodeStatus { at: Duration::from_mins(1) + self.begun.elapsed(), link: Link::Well, nodes: 4 }
    }

    /// What all nodes use.
    fn used(&self) -> u64 {
        self.nodes.iter().map(|node| node.used).sum()
    }

    /// A node reports, if there is something to report.
    fn report(&mut self, number: usize) {
        let at = self.status().at;
        let node = &mut self.nodes[number];
        let Some(report) = node.share.report(node.used, self.limit, self.kind, at) else { return };
        let asked = PoolRequest { entry: node.entry.clone(), nodes: 4, ..request(self.kind, self.limit, report) };
        let answer = if node.is_first {
            let mut call = redis::cmd("EVAL");
            call.arg(FIRST).arg(1).arg(&asked.pool).arg(first_arguments(&asked));
            first_answer(&call.query::<Vec<String>>(&mut self.connection).unwrap())
        } else {
            self.runtime.block_on(self.server.exchange(&[asked])).unwrap().answers[0]
        };
        node.share.answered(answer.expect("reports of one node are in order"), at);
    }

    /// A node gives back what it holds, as at its end.
    fn leave(&mut self, number: usize) {
        self.nodes[number].share.leave();
        self.report(number);
    }

    /// Whether a node serves a request, for which it may have to ask.
    fn serves(&mut self, number: usize) -> bool {
        for asked in 0.. {
            let (status, limit) = (self.status(), self.limit);
            let node = &mut self.nodes[number];
            if node.share.room(node.used, 0, limit, &status) > 0 {
                node.used += 1;
                if node.share.took(1, node.used, limit, status.at) {
                    self.report(number);
                }
                return true;
            }
            if !node.share.may_ask(asked, &status) {
                return false;
            }
            node.share.lacks(1);
            self.report(number);
        }
        false
    }

    /// All nodes serve in turn until each refuses, up to a number in all. Returns how many were served.
    fn serve(&mut self, most: u64) -> u64 {
        let mut served = 0;
        loop {
            let before = served;
            for number in 0..self.nodes.len() {
                if served < most {
                    served += u64::from(self.serves(number));
                }
            }
            if served == before {
                return served;
            }
        }
    }
}

#[test]
fn a_budget_holds_over_nodes_of_two_versions_and_over_their_upgrade() {
    let Some(mut fleet) = Fleet::new(Kind::Window, 2_000) else { return };
    assert_eq!(fleet.serve(900), 900);
    // One node of the first version is started again as one of this, with the use that it had written down.
    fleet.leave(0);
    let old = std::mem::replace(&mut fleet.nodes[0], Node::new(4, false));
    fleet.nodes[0].share = Share::after(Some(Before { entry: old.entry, used: old.used }));
    assert_eq!(fleet.serve(u64::MAX), 1_100, "all of the rest, and not one more");
    assert_eq!(fleet.used() + old.used, 2_000);
    // And back again, as when an upgrade is given up.
    fleet.leave(1);
    let new = std::mem::replace(&mut fleet.nodes[1], Node::new(5, true));
    fleet.nodes[1].share = Share::after(Some(Before { entry: new.entry, used: new.used }));
    assert_eq!(fleet.serve(u64::MAX), 0);
}

#[test]
fn a_small_budget_is_exact_over_nodes_of_two_versions() {
    let Some(mut fleet) = Fleet::new(Kind::Window, 10) else { return };
    assert_eq!(fleet.serve(u64::MAX), 10);
    assert_eq!(fleet.serve(u64::MAX), 0);
}

#[test]
fn a_limit_of_requests_a_minute_holds_over_nodes_of_two_versions() {
    let Some(mut fleet) = Fleet::new(Kind::Bucket, 1_200) else { return };
    // Never more than the bucket held and was filled with: twenty a second.
    let served = fleet.serve(1_500);
    let most = 1_200 + fleet.begun.elapsed().as_millis() as u64 * 20 / 1_000 + 1;
    assert!((1_190..=most).contains(&served), "{served} of {most}");
}

#[test]
fn streams_at_the_same_time_hold_over_nodes_of_two_versions_and_come_back() {
    let Some(mut fleet) = Fleet::new(Kind::Places, 12) else { return };
    assert_eq!(fleet.serve(u64::MAX), 12);
    for number in 0..4 {
        fleet.nodes[number].used -= 1;
        fleet.report(number);
    }
    assert_eq!((fleet.serve(u64::MAX), fleet.used()), (4, 12));
}
