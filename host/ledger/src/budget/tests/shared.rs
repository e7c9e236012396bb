//! Two nodes with the same budgets, and one pool for each window.

use super::*;
use std::collections::HashMap;
use std::time::Duration;
use weir_lease::{Kind, Link, Pool, Standing, WhenLost};

/// A node: its budgets under a name.
struct Node(&'static str, BudgetSet);

#[derive(Default)]
struct Pools(HashMap<String, Pool>);

const AT: Duration = Duration::from_secs(1);
/// When a budget in use is reported again although nothing has changed, so that the node learns of the others.
const LATER: Duration = Duration::from_secs(6);

impl Node {
    fn new(name: &'static str, usd: &str) -> Self {
        let chain = vec![budget("key", of(ScopeKind::Key, "k"), usd), budget("all", Scope::All, "100")];
        Self(name, set(chain))
    }

    fn reserve(&self, usd: &str, link: Link, asked: usize) -> Result<Granted, Box<Refusal>> {
        let standing = Standing { at: AT, link, nodes: 2 };
        self.1.reserve_on(&Request::whole(KEY, dollars(usd)), now(), &BudgetSharing::Shared { standing, asked })
    }

    /// Reserves, and asks for more once.
    fn get(&self, usd: &str, pools: &mut Pools) -> Result<Granted, Box<Refusal>> {
        match self.reserve(usd, Link::Well, 0) {
            Err(refusal) if refusal.may_ask => {
                pools.round(self);
                self.reserve(usd, Link::Well, 3)
            }
            reserved => reserved,
        }
    }
}

impl Pools {
    fn round(&mut self, node: &Node) {
        self.round_at(node, AT);
    }

    fn round_at(&mut self, Node(name, set): &Node, at: Duration) {
        for report in set.reports(name, false, at) {
            let pool = self.0.entry(report.pool).or_insert_with(|| Pool::new(Kind::Window, 1));
            let answer = pool.exchange(report.limit, &report.entry, &report.report, 2, at).unwrap();
            report.share.answered(answer, at);
        }
    }
}

#[test]
fn two_nodes_spend_one_budget_and_each_tells_what_all_used() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    let first = a.get("6", &mut pools).unwrap();
    pools.round(&a);
    let refusal = b.get("6", &mut pools).unwrap_err();
    assert_eq!((&*refusal.budget, refusal.reason, refusal.used), ("key", RefusalReason::Exhausted, 6_000_000_000));
    b.get("4", &mut pools).unwrap().reservation.settle(&dollars("3"));
    first.reservation.settle(&dollars("6"));
    pools.round_at(&b, LATER);
    pools.round_at(&a, LATER);
    assert_eq!((counts(&a.1, "key", now()), counts(&a.1, "all", now())), (pair("9", "0"), pair("9", "0")));
    assert!(a.get("1.1", &mut pools).is_err() && a.get("1", &mut pools).is_ok());
}

#[test]
fn a_refusal_counts_what_another_node_holds() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    assert!(a.reserve("9", Link::Well, 0).is_err_and(|refusal| refusal.may_ask));
    pools.round(&a);
    let refusal = b.get("2", &mut pools).unwrap_err();
    assert_eq!((refusal.reason, refusal.used), (RefusalReason::Exhausted, 9_000_000_000));
    a.reserve("9", Link::Well, 1).unwrap().reservation.keep();
}

#[test]
fn a_node_on_its_own_goes_by_its_part_or_by_what_it_leased() {
    let (a, mut pools) = (Node::new("a", "10"), Pools::default());
    a.get("2", &mut pools).unwrap().reservation.keep();
    assert!(a.reserve("1", Link::Lost(WhenLost::Closed), 0).is_err_and(|refusal| !refusal.may_ask));
    a.reserve("3", Link::Lost(WhenLost::Share), 0).unwrap().reservation.keep();
    assert!(a.reserve("1", Link::Lost(WhenLost::Share), 0).is_err(), "five of ten are its part");
    a.reserve("9", Link::Lost(WhenLost::Open), 0).unwrap().reservation.keep();
    let b = Node::new("b", "10");
    pools.round(&a);
    assert!(b.get("1", &mut pools).is_err(), "what was used meanwhile counts");
}

#[test]
fn a_process_goes_on_for_the_one_that_was_killed() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    let open = a.get("2", &mut pools).unwrap();
    // Used after the last report, and written to the file.
    a.1.changes();
    let mut more = a.get("3", &mut pools).unwrap();
    more.reservation.spend(&dollars("1"));
    let rows = a.1.snapshot();
    let again = Node::new("c", "10");
    again.1.restore(&rows, Some("a"));
    assert_eq!(counts(&again.1, "key", now()), pair("5", "0"), "what was reserved is booked");
    again.get("1", &mut pools).unwrap().reservation.keep();
    pools.round(&b);
    assert!(b.get("4.1", &mut pools).is_err());
    b.get("4", &mut pools).unwrap().reservation.keep();
    pools.round(&b);
    // A second restart adds nothing of the first.
    let third = Node::new("d", "10");
    third.1.restore(&again.1.snapshot(), Some("c"));
    let refusal = third.get("1", &mut pools).unwrap_err();
    assert_eq!(refusal.used, 10_000_000_000);
    drop((open, more));
}
