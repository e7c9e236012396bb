//! Two nodes with the same budgets, and one pool for each window.

use super::*;
use std::collections::HashMap;
use std::time::Duration;
use weir_lease::{Kind, Link, NodeStatus, Pool, WhenLost};

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
        let status = NodeStatus { at: AT, link, nodes: 2 };
        self.1.reserve_on(&Request::whole(KEY, dollars(usd)), now(), &BudgetSharing::Shared { status, asked })
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
fn what_a_resumed_reservation_gives_back_may_be_used_by_all_nodes_once() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    let open = a.get("8", &mut pools).unwrap().reservation;
    pools.round(&a);
    let restarted = |name, before: &Node| {
        let node = Node::new(name, "10");
        node.1.restore(&before.1.snapshot(), Some(before.0));
        node
    };
    let again = restarted("a2", &a);
    let status = NodeStatus { at: AT, link: Link::Well, nodes: 2 };
    let mut resumed = again.1.resume(&open.kept(), &BudgetSharing::Shared { status, asked: 0 }).unwrap();
    pools.round_at(&again, LATER);
    assert_eq!(counts(&again.1, "key", now()), pair("8", "0"));
    assert!(again.get("3", &mut pools).is_err() && b.get("3", &mut pools).is_err());
    resumed.spend(&dollars("1"));
    resumed.finish();
    assert!(again.reserve("5", Link::Lost(WhenLost::Share), 0).is_err(), "five of ten are its part, and one is used");
    pools.round_at(&again, LATER);
    assert_eq!(counts(&again.1, "key", now()), pair("1", "0"));
    b.get("3", &mut pools).unwrap().reservation.keep();
    assert!(again.get("7", &mut pools).is_err(), "six are left");
    let more = again.get("6", &mut pools).unwrap().reservation;
    for node in [&b, &again] {
        pools.round_at(node, LATER);
    }
    assert_eq!(counts(&again.1, "key", now()), pair("4", "6"));
    more.keep();
    let last = restarted("a3", &again);
    for node in [&b, &last, &b, &last] {
        pools.round_at(node, LATER);
        assert!(node.get("0.1", &mut pools).is_err(), "all of it is used");
    }
    assert_eq!(counts(&last.1, "key", now()), pair("10", "0"), "also for one more process");
    open.keep();
}

#[test]
fn what_another_node_held_is_settled_once_by_the_node_that_takes_it_over() {
    for (spent, is_kept, used, left) in
        [("1", false, "3", "17"), ("8", false, "10", "10"), ("9", false, "11", "9"), ("0", true, "10", "10")]
    {
        let (a, b, c) = (Node::new("a", "20"), Node::new("b", "20"), Node::new("c", "20"));
        let mut pools = Pools::default();
        let open = a.get("8", &mut pools).unwrap().reservation;
        pools.round(&a);
        b.get("2", &mut pools).unwrap().reservation.settle(&dollars("2"));
        pools.round(&b);
        let holds = open.kept();
        // The node that held it comes back later, and goes by what it had.
        drop(open);
        let status = NodeStatus { at: AT, link: Link::Well, nodes: 3 };
        let sharing = BudgetSharing::Shared { status, asked: 0 };
        assert!(!c.1.can_resume(&holds, &sharing), "nobody has told it anything");
        assert!(c.1.can_resume(&holds, &BudgetSharing::Alone));
        pools.round(&c);
        assert!(c.1.can_resume(&holds, &sharing));
        let mut resumed = c.1.resume(&holds, &sharing).unwrap();
        assert_eq!(counts(&c.1, "key", now()), pair("10", "0"), "it counts once");
        resumed.spend(&dollars(spent));
        if is_kept {
            resumed.keep();
        } else {
            resumed.finish();
        }
        for node in [&c, &a, &b, &c] {
            pools.round_at(node, LATER);
        }
        assert_eq!(counts(&c.1, "key", now()), pair(used, "0"), "{spent}");
        // What it did not use of that may be used by any node, and nowhere is more used than there is.
        let user = if is_kept { &c } else { &b };
        user.get(left, &mut pools).unwrap().reservation.keep();
        for node in [&c, &a, &b] {
            pools.round_at(node, LATER);
            assert!(node.get("0.1", &mut pools).is_err(), "{spent}");
        }
    }
}

#[test]
fn a_window_that_the_clock_comes_back_to_after_its_counts_were_dropped_is_shared_again() {
    let by_minute = Budget { per: Period::Minute, ..budget("key", of(ScopeKind::Key, "k"), "10") };
    let (node, mut pools) = (Node("a", set(vec![by_minute])), Pools::default());
    let mut spends = |minute: i64| {
        let at = Timestamp::from_second(now().as_second() + minute * 60).unwrap();
        let status = NodeStatus { at: AT, link: Link::Well, nodes: 2 };
        for asked in 0..3 {
            let sharing = BudgetSharing::Shared { status, asked };
            match node.1.reserve_on(&Request::whole(KEY, dollars("4")), at, &sharing) {
                Ok(granted) => {
                    granted.reservation.keep();
                    pools.round(&node);
                    node.1.changes();
                    return true;
                }
                Err(refusal) if refusal.may_ask => pools.round(&node),
                Err(_) => return false,
            }
        }
        false
    };
    assert_eq!([0, 1, 2, 3, 4].map(&mut spends), [true; 5]);
    assert_eq!([0, 0].map(spends), [true, false], "what was used there before counts");
}

#[test]
fn what_no_report_of_another_node_has_is_reserved_anew() {
    let (a, b, mut pools) = (Node::new("a", "20"), Node::new("b", "20"), Pools::default());
    let open = a.get("8", &mut pools).unwrap().reservation;
    b.get("9", &mut pools).unwrap().reservation.settle(&dollars("9"));
    let status = |link| BudgetSharing::Shared { status: NodeStatus { at: AT, link, nodes: 2 }, asked: 0 };
    let resumed = b.1.resume(&open.kept(), &status(Link::Well)).unwrap();
    assert_eq!(counts(&b.1, "key", now()), pair("9", "8"), "its own use is none of the other's");
    resumed.finish();
    let alone = Node::new("c", "20");
    assert!(alone.1.can_resume(&open.kept(), &status(Link::Lost(WhenLost::Share))), "nobody is going to tell it");
    alone.1.resume(&open.kept(), &status(Link::Lost(WhenLost::Share))).unwrap().keep();
    assert_eq!(counts(&alone.1, "key", now()), pair("8", "0"));
    open.keep();
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
fn what_one_budget_refuses_outright_is_asked_for_at_no_other() {
    let (poor, rich, mut pools) = (Node::new("a", "1"), Node::new("b", "100"), Pools::default());
    let refusal = poor.reserve("100", Link::Well, 0).unwrap_err();
    assert_eq!((&*refusal.budget, refusal.reason, refusal.may_ask), ("key", RefusalReason::TooLarge, false));
    assert!(poor.1.reports("a", false, AT).is_empty(), "the other budget has room, and nothing of it is leased");
    pools.round(&poor);
    rich.get("100", &mut pools).unwrap().reservation.keep();
}

#[test]
fn what_one_budget_has_granted_stays_while_the_request_waits_for_another() {
    let (a, mut pools) = (Node::new("a", "10"), Pools::default());
    assert!(a.reserve("2", Link::Well, 0).is_err_and(|refusal| refusal.may_ask));
    pools.round(&a);
    // Another request came first, which the budget of the key does not count.
    let status = NodeStatus { at: AT, link: Link::Well, nodes: 2 };
    let other = Request::whole(Owner::default(), dollars("2"));
    a.1.reserve_on(&other, now(), &BudgetSharing::Shared { status, asked: 0 }).unwrap().reservation.keep();
    assert!(a.reserve("2", Link::Well, 1).is_err_and(|refusal| &*refusal.budget == "all" && refusal.may_ask));
    pools.round(&a);
    a.reserve("2", Link::Well, 2).unwrap().reservation.keep();
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
fn a_budget_that_is_gone_is_reported_until_all_of_its_use_was_and_not_in_vain() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    let open = a.get("4", &mut pools).unwrap();
    let gone = Node("a", a.1.with(Vec::new()).unwrap());
    let passed_over = |node: &Node| {
        let reports = node.1.reports("a", false, AT);
        for report in &reports {
            report.share.passed_over();
        }
        reports.len()
    };
    assert_eq!(passed_over(&gone), 2, "what is reserved is reported");
    open.reservation.settle(&dollars("9"));
    let reports = gone.1.reports("a", false, AT);
    assert_eq!(reports.len(), 2, "again, since there was no answer");
    for report in &reports {
        report.share.unanswered();
    }
    pools.round(&gone);
    assert_eq!(b.get("2", &mut pools).unwrap_err().used, 9_000_000_000, "the other node still has the budget");
    // The pool of a budget may be one that is never answered.
    let again = Node("a", a.1.with(vec![budget("key", of(ScopeKind::Key, "k"), "10")]).unwrap());
    assert!(again.reserve("1", Link::Well, 0).is_err_and(|refusal| refusal.may_ask));
    assert_eq!([passed_over(&again), passed_over(&again)], [1, 1], "a budget that there is goes on to ask");
    let gone = Node("a", again.1.with(Vec::new()).unwrap());
    assert_eq!([passed_over(&gone), passed_over(&gone)], [1, 0]);
}

#[test]
fn a_server_that_forgets_hears_of_budgets_that_are_not_in_use() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    a.get("9", &mut pools).unwrap().reservation.settle(&dollars("9"));
    let shares: Vec<PoolShare> = a.1.reports("a", false, AT).into_iter().map(|report| report.share).collect();
    shares.iter().for_each(PoolShare::unanswered);
    pools.round(&a);
    let idle = LATER * 3;
    assert!(a.1.reports("a", false, idle).is_empty(), "nothing is left to report");
    pools = Pools::default();
    shares[0].repeat_all();
    pools.round_at(&a, idle);
    let refusal = b.get("2", &mut pools).unwrap_err();
    assert_eq!((&*refusal.budget, refusal.used), ("key", 9_000_000_000));
    assert!(a.1.reports("a", false, idle * 2).is_empty(), "once is enough");
}

#[test]
fn many_budgets_that_are_not_in_use_are_reported_again_one_part_after_the_other() {
    let key = |number: usize| number.to_string();
    let of_key = |number| budget(&key(number), of(ScopeKind::Key, &key(number)), "10");
    let (set, mut pools) = (set((0..1_200).map(of_key).collect()), Pools::default());
    let Window { start, end } = Period::Day.window(&jiff::tz::TimeZone::UTC, now());
    let row = |number| {
        let budget = key(number).into();
        Row { budget, start, end, reserved: 0, settled: 5, before: 0, cell: 0, made: 0, seq: 1 }
    };
    set.restore(&(0..1_200).map(row).collect::<Vec<_>>(), Some("earlier"));
    let node = Node("a", set);
    let mut reported = || {
        pools.round(&node);
        pools.0.len()
    };
    assert_eq!([reported(), reported(), reported(), reported()], [500, 1_000, 1_200, 1_200]);
}

#[test]
fn what_a_killed_process_had_not_reported_counts_before_the_next_request_of_its_node() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    let lost = Link::Lost(WhenLost::Open);
    a.reserve("9", lost, 0).unwrap().reservation.keep();
    let again = Node::new("c", "10");
    again.1.restore(&a.1.snapshot(), Some("a"));
    pools.round(&again);
    assert_eq!(b.get("2", &mut pools).unwrap_err().used, 9_000_000_000);
}

#[test]
fn what_another_process_with_the_same_rows_counts_is_no_use_of_this_one() {
    let (a, b, mut pools) = (Node::new("a", "10"), Node::new("b", "10"), Pools::default());
    a.get("3", &mut pools).unwrap().reservation.keep();
    let Window { start, end } = Period::Day.window(&jiff::tz::TimeZone::UTC, now());
    let of_a = |change| Correction { budget: "key".into(), start, end, change };
    b.1.correct(&[of_a(4_000_000_000), of_a(-1_000_000_000)]);
    assert_eq!(counts(&b.1, "key", now()), pair("3", "0"));
    // What the other has used comes from the pool once that answers.
    pools.round_at(&a, LATER);
    b.get("1", &mut pools).unwrap().reservation.keep();
    assert_eq!(counts(&b.1, "key", now()), pair("4", "0"));
    assert_eq!(b.get("7", &mut pools).unwrap_err().used, 4_000_000_000);
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
