//! Many nodes and one pool: in any order, with messages that are lost or late, with nodes that die, and with a server
//! that forgets.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A node with its own clock, and what it has used.
#[derive(Debug)]
struct Node {
    name: String,
    /// How far its clock is before that of the pool.
    skew: Duration,
    share: Share,
    used: u64,
    open: Vec<u64>,
    is_dead: bool,
    /// Whether it asks for more ahead of its need.
    asks: bool,
}

impl Node {
    fn new(number: usize) -> Self {
        let skew = Duration::from_mins(5 * number as u64);
        let (name, share) = (format!("n{number}"), Share::default());
        Self { name, skew, share, used: 0, open: Vec::new(), is_dead: false, asks: false }
    }

    fn status(&self, now: Duration) -> NodeStatus {
        NodeStatus { at: now + self.skew, link: Link::Well, nodes: 1 }
    }

    /// Takes an amount if there is room, or asks for it.
    fn take(&mut self, amount: u64, limit: u64, now: Duration) -> bool {
        let status = self.status(now);
        if self.share.room(self.used, 0, limit, &status) < amount {
            self.share.lacks(amount);
            return false;
        }
        self.used += amount;
        self.open.push(amount);
        self.asks = self.share.took(amount, self.used, limit, status.at);
        true
    }

    fn report(&mut self, limit: u64, now: Duration) -> Option<Report> {
        self.share.report(self.used, limit, Kind::Window, now + self.skew)
    }

    /// One undisturbed round.
    fn round(&mut self, pool: &mut Pool, limit: u64, nodes: u32, now: Duration) {
        if let Some(report) = self.report(limit, now) {
            let answer = pool.exchange(limit, &self.name, &report, nodes, now).unwrap();
            self.share.answered(answer, now + self.skew);
        }
    }
}

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    Take(usize, u64),
    /// A request waits for another share, and needs so much of this one.
    Want(usize, u64),
    /// A request ends and used less than it had reserved.
    Refund(usize, u64),
    /// A report that arrives and is answered, or of which the answer or the report is lost.
    Round(usize, Fate),
    Die(usize),
    Pass(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    AnswerLost,
    ReportLost,
    /// It arrives after the next report of the same node, or after a long time.
    Late,
}

fn acts(nodes: usize) -> impl Strategy<Value = Vec<Act>> {
    let fate = prop_oneof![
        6 => Just(Fate::Answered), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::ReportLost), 1 => Just(Fate::Late),
    ];
    let act = prop_oneof![
        8 => (0..nodes, 1..40_u64).prop_map(|(node, amount)| Act::Take(node, amount)),
        2 => (0..nodes, 1..40_u64).prop_map(|(node, amount)| Act::Want(node, amount)),
        2 => (0..nodes, 0..40_u64).prop_map(|(node, used)| Act::Refund(node, used)),
        8 => (0..nodes, fate).prop_map(|(node, fate)| Act::Round(node, fate)),
        1 => (0..nodes).prop_map(Act::Die),
        3 => prop_oneof![4 => 1..1_500_u64, 1 => 4_000..9_000_u64].prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..200)
}

/// What a node had used when it was heard last.
#[derive(Clone, Copy)]
struct Heard {
    used: u64,
    at: Duration,
}

/// What a node has used since it was heard last, if that was a term ago.
fn silence(heard: Heard, node: &Node, now: Duration) -> u64 {
    if now >= heard.at + TERM { node.used.saturating_sub(heard.used) } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// However messages get lost, nodes die and clocks differ: the nodes together never use more than the limit, and
    /// what nodes that were silent for a term had not reported.
    #[test]
    fn a_window_is_never_exceeded(acts in acts(4), limit in prop::sample::select(vec![10_u64, 300, 5_000])) {
        let mut pool = Pool::new(Kind::Window, 1);
        let mut nodes: Vec<Node> = (0..4).map(Node::new).collect();
        let mut late: Vec<(usize, Report)> = Vec::new();
        let mut now = Duration::from_secs(1_000);
        let mut heard = [Heard { used: 0, at: now }; 4];
        let mut unreported = 0;
        for act in acts {
            match act {
                Act::Take(at, amount) if !nodes[at].is_dead => {
                    nodes[at].take(amount, limit, now);
                }
                Act::Want(at, amount) => nodes[at].share.wants(amount),
                Act::Refund(at, used) if !nodes[at].is_dead => {
                    if let Some(reserved) = nodes[at].open.pop() {
                        nodes[at].used -= reserved.saturating_sub(used);
                    }
                }
                Act::Round(at, fate) if !nodes[at].is_dead => {
                    if let Some(report) = nodes[at].report(limit, now) {
                        let sent = now + nodes[at].skew;
                        if fate == Fate::Late {
                            late.push((at, report.clone()));
                        }
                        let arrives = matches!(fate, Fate::Answered | Fate::AnswerLost);
                        if arrives {
                            unreported += silence(heard[at], &nodes[at], now);
                            heard[at] = Heard { used: nodes[at].used, at: now };
                        }
                        let answer = arrives.then(|| pool.exchange(limit, &nodes[at].name, &report, 4, now)).flatten();
                        match answer.filter(|_| fate == Fate::Answered) {
                            Some(answer) => nodes[at].share.answered(answer, sent),
                            None => nodes[at].share.unanswered(),
                        }
                    }
                }
                Act::Die(at) => nodes[at].is_dead = true,
                Act::Pass(millis) => {
                    now += Duration::from_millis(millis);
                    for (at, report) in late.drain(..) {
                        pool.exchange(limit, &nodes[at].name, &report, 4, now);
                    }
                }
                Act::Take(..) | Act::Refund(..) | Act::Round(..) => {}
            }
            let used: u64 = nodes.iter().map(|node| node.used).sum();
            let silent: u64 = nodes.iter().zip(heard).map(|(node, heard)| silence(heard, node, now)).sum();
            prop_assert!(used <= limit + unreported + silent, "{used} of {limit}, {unreported} and {silent}");
        }
    }

    /// Over any time, the nodes together take no more from a bucket than it held and was filled with, and what they may
    /// hold ahead: a hundredth each.
    #[test]
    fn a_bucket_gives_what_it_holds_and_is_filled_with(
        steps in prop::collection::vec((0..5_usize, 1..4_u64, 0..400_u64), 1..400),
        limit in prop::sample::select(vec![10_u64, 600, 60_000]),
    ) {
        let mut pool = Pool::new(Kind::Bucket, 1);
        let mut nodes: Vec<Node> = (0..5).map(Node::new).collect();
        let (first, mut now) = (SECOND * 1_000, SECOND * 1_000);
        for (at, amount, millis) in steps {
            now += Duration::from_millis(millis);
            if !nodes[at].take(amount, limit, now) {
                nodes[at].round(&mut pool, limit, 5, now);
                nodes[at].take(amount, limit, now);
            }
            let used: u64 = nodes.iter().map(|node| node.used).sum();
            let filled = limit as f64 * now.saturating_sub(first).as_secs_f64() / 60.0;
            prop_assert!(used as f64 <= limit as f64 + filled, "{used} of {limit} and {filled}");
        }
    }
}

#[test]
fn fifty_nodes_share_a_limit_of_ten_exactly() {
    for kind in [Kind::Window, Kind::Places] {
        let mut pool = Pool::new(kind, 1);
        let mut nodes: Vec<Node> = (0..50).map(Node::new).collect();
        let mut admitted = 0;
        for turn in 0..4 {
            for node in &mut nodes {
                let now = SECOND + Duration::from_millis(turn);
                node.take(1, 10, now);
                node.round(&mut pool, 10, 50, now);
                admitted += u64::from(node.take(1, 10, now));
            }
        }
        assert_eq!(admitted, 10, "{kind:?}");
    }
}

#[test]
fn a_large_limit_is_held_ahead_of_need_and_asked_for_rarely() {
    let (limit, mut pool, mut node) = (1_000_000, Pool::new(Kind::Window, 1), Node::new(0));
    let mut rounds = 0;
    let mut waits = 0;
    for millis in 0..20_000 {
        let now = SECOND + Duration::from_millis(millis);
        let waited = !node.take(5, limit, now);
        waits += u32::from(waited);
        // A round each second, and where the share runs low.
        if waited || std::mem::take(&mut node.asks) || millis % 1_000 == 0 {
            node.round(&mut pool, limit, 50, now);
            rounds += 1;
        }
    }
    assert!(waits <= 2, "{waits} requests of 20,000 waited");
    assert!(rounds < 200, "{rounds} rounds for 20,000 requests");
}

#[test]
fn what_a_dead_node_held_returns_and_what_it_used_stays() {
    let (limit, mut pool) = (100, Pool::new(Kind::Window, 1));
    let [mut a, mut b] = [Node::new(0), Node::new(1)];
    let lack = |node: &mut Node, amount, pool: &mut Pool, now| {
        node.take(amount, limit, now);
        node.round(pool, limit, 2, now);
        node.take(amount, limit, now)
    };
    assert!(lack(&mut a, 60, &mut pool, SECOND));
    // Granted and not used when it dies.
    a.share.lacks(30);
    a.round(&mut pool, limit, 2, SECOND * 2);
    assert!(!lack(&mut b, 20, &mut pool, SECOND * 3), "ten are left");
    assert!(lack(&mut b, 20, &mut pool, SECOND * 2 + TERM));
    assert!(!lack(&mut b, 30, &mut pool, SECOND * 20), "sixty stay used");
    assert_eq!(b.share.others(), 60);
}

#[test]
fn a_process_that_was_killed_is_not_free_and_counts_once() {
    let (limit, mut pool, now) = (100, Pool::new(Kind::Window, 1), SECOND);
    let exchange = |pool: &mut Pool, entry: &str, report: Report| pool.exchange(limit, entry, &report, 1, now).unwrap();
    exchange(&mut pool, "old", Report { seq: 1, used: 10, ceiling: 40, ..Report::default() });
    // It had used 30 when it was killed, as its file says, and reported 10.
    let before = Some(Before { entry: "old".to_owned(), used: 30 });
    let mut share = Share::after(before);
    let report = share.report(0, limit, Kind::Window, now).unwrap();
    assert_eq!(exchange(&mut pool, "new", report.clone()).others, 30);
    let again = exchange(&mut pool, "new", Report { seq: 9, ..report });
    assert_eq!((again.others, again.left), (30, 60), "ten of forty are still leased");
}

#[test]
fn a_node_that_was_silent_for_days_counts_once_when_it_is_back() {
    let (limit, mut pool) = (1_000, Pool::new(Kind::Window, 1));
    let exchange =
        |pool: &mut Pool, entry: &str, report: Report, now| pool.exchange(limit, entry, &report, 2, now).unwrap();
    let report = |seq, used| Report { seq, used, ceiling: used, ..Report::default() };
    let monday = Duration::from_hours(60);
    exchange(&mut pool, "a", report(1, 150), SECOND);
    exchange(&mut pool, "killed", report(1, 40), SECOND);
    exchange(&mut pool, "b", report(1, 100), SECOND);
    assert_eq!(exchange(&mut pool, "b", report(2, 101), monday).others, 190, "what silent nodes used stays used");
    let back = exchange(&mut pool, "a", Report { is_known: true, generation: 1, ..report(2, 160) }, monday);
    assert_eq!((back.others, back.gone), (141, 40));
    // The file of the process that was killed says what it had used.
    let before = Some(Before { entry: "killed".to_owned(), used: 45 });
    let after = exchange(&mut pool, "after", Report { before, ..report(1, 5) }, monday);
    assert_eq!((after.others, after.left), (160 + 101 + 45, 1_000 - 160 - 101 - 45 - 5));
}

#[test]
fn what_is_given_back_of_the_use_of_others_is_left_for_all_nodes_once() {
    let (limit, mut pool, now) = (100, Pool::new(Kind::Window, 1), SECOND);
    let exchange = |pool: &mut Pool, entry: &str, report: Report| pool.exchange(limit, entry, &report, 3, now).unwrap();
    let report = |seq, used, returned| Report { seq, used, ceiling: used, returned, ..Report::default() };
    exchange(&mut pool, "killed", report(1, 80, 0));
    exchange(&mut pool, "other", report(1, 10, 0));
    let answer = exchange(&mut pool, "after", report(1, 5, 60));
    assert_eq!((answer.others, answer.left), (30, 65));
    // It is a sum: said twice, it is given back once, and a report that comes late takes nothing of it away.
    for (seq, returned) in [(2, 60), (3, 40)] {
        assert_eq!(exchange(&mut pool, "after", report(seq, 5, returned)).left, 65);
    }
    let other = exchange(&mut pool, "other", report(2, 10, 0));
    assert_eq!((other.others, other.left), (25, 65));
    // A server that forgets hears of it again, with what was known of the node that is gone.
    let mut again = Pool::new(Kind::Window, 3);
    let known = Report { is_known: true, generation: 1, gone: 80, ..report(4, 5, 60) };
    assert_eq!(exchange(&mut again, "after", known).others, 20);
    // What is given back of what the pool does not know makes no use of others less than none.
    let mut empty = Pool::new(Kind::Window, 2);
    exchange(&mut empty, "after", report(4, 5, 60));
    let other = exchange(&mut empty, "other", report(3, 10, 0));
    assert_eq!((other.others, other.left), (0, 90));
}

#[test]
fn a_server_that_forgets_learns_from_the_nodes_what_was_used() {
    let (limit, mut pool, mut now) = (100, Pool::new(Kind::Window, 1), SECOND);
    let [mut a, mut b, mut gone] = [Node::new(0), Node::new(1), Node::new(2)];
    for (node, amount) in [(&mut a, 20), (&mut b, 10), (&mut gone, 30)] {
        node.take(amount, limit, now);
        node.round(&mut pool, limit, 3, now);
        assert!(node.take(amount, limit, now));
        node.round(&mut pool, limit, 3, now);
    }
    for _ in 0..2 {
        now += TERM * 2 / 3;
        for node in [&mut a, &mut b] {
            node.share.lacks(1);
            node.round(&mut pool, limit, 3, now);
        }
    }
    let mut empty = Pool::new(Kind::Window, 2);
    now += SECOND;
    for node in [&mut a, &mut b] {
        node.share.lacks(1);
        node.round(&mut empty, limit, 3, now);
    }
    assert_eq!(b.share.others(), 20 + 30, "the use of the node that is gone is known to those that remain");
}

#[test]
fn alone_a_node_admits_by_policy() {
    let share = Share::default();
    let room = |when_lost, limit, used, earlier| {
        let status = NodeStatus { at: SECOND, link: Link::Lost(when_lost), nodes: 4 };
        share.room(used, earlier, limit, &status)
    };
    assert_eq!(room(WhenLost::Share, 100, 0, 0), 25);
    assert_eq!(room(WhenLost::Share, 100, 10, 5), 10);
    assert_eq!(room(WhenLost::Share, 2, 0, 0), 1, "a limit below the number of nodes");
    assert_eq!(room(WhenLost::Share, 0, 0, 0), 0);
    assert_eq!(room(WhenLost::Closed, 100, 0, 0), 0);
    assert_eq!(room(WhenLost::Open, 100, 500, 0), u64::MAX);
}

#[test]
fn an_idle_share_gives_back_and_reports_nothing() {
    let (limit, mut pool, mut node) = (10_000, Pool::new(Kind::Window, 1), Node::new(0));
    let mut now = SECOND;
    for _ in 0..20 {
        node.take(1, limit, now);
        node.round(&mut pool, limit, 2, now);
        now += SECOND / 4;
    }
    let held = |node: &Node, now| node.share.room(node.used, 0, limit, &node.status(now));
    assert!(held(&node, now) > 0);
    now += SECOND;
    for _ in 0..40 {
        node.round(&mut pool, limit, 2, now);
        now += SECOND;
    }
    assert_eq!(held(&node, now), 0);
    assert!(node.report(limit, now).is_none() && node.share.is_idle(node.used, now + node.skew));
}

#[test]
fn a_request_asks_again_for_what_a_report_gave_back_before_it_took_it() {
    let (limit, mut pool, mut node) = (10, Pool::new(Kind::Window, 1), Node::new(0));
    assert!(!node.take(10, limit, SECOND));
    node.round(&mut pool, limit, 2, SECOND);
    assert_eq!(node.share.left(), Some(0), "all of it is granted");
    // The next round comes before the request does.
    let later = 2 * SECOND;
    let report = node.report(limit, later).unwrap();
    assert_eq!(report.ceiling, 0);
    assert!(!node.take(10, limit, later));
    assert!(node.share.may_ask(1, &node.status(later)), "while the report is under way");
    node.share.answered(pool.exchange(limit, &node.name, &report, 2, later).unwrap(), later + node.skew);
    assert!(node.share.may_ask(1, &node.status(later)), "and when it is answered");
    node.round(&mut pool, limit, 2, later);
    assert!(node.take(10, limit, later));
    assert!(!node.share.may_ask(1, &node.status(later)), "nothing is left");
}

#[test]
fn what_a_request_needs_that_waits_for_another_share_is_not_given_back() {
    let (limit, mut pool, mut node) = (10, Pool::new(Kind::Window, 1), Node::new(0));
    assert!(!node.take(3, limit, SECOND));
    node.round(&mut pool, limit, 2, SECOND);
    node.share.wants(2);
    node.round(&mut pool, limit, 2, SECOND);
    assert_eq!(node.share.room(node.used, 0, limit, &node.status(SECOND)), 2, "one of three was given back");
    node.round(&mut pool, limit, 2, SECOND);
    assert_eq!(node.share.room(node.used, 0, limit, &node.status(SECOND)), 0, "nobody waits any more");
}
