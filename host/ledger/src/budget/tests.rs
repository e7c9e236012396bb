use super::*;
use crate::money::Nano;
use jiff::Timestamp;

mod crash;
mod parallel;
mod shared;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-21T12:00:00Z")
}

fn dollars(text: &str) -> Spend {
    Spend::priced(Nano::from_dollars(text).unwrap(), 100)
}

fn of(kind: ScopeKind, name: &str) -> Scope {
    Scope::Of(kind, name.into())
}

fn budget(name: &str, scope: Scope, usd: &str) -> Budget {
    Budget::new(name, scope, Limit::usd(usd).unwrap(), Period::Day)
}

fn set(budgets: Vec<Budget>) -> BudgetSet {
    BudgetSet::new(budgets).unwrap()
}

fn reserve(set: &BudgetSet, owner: Owner<'_>, usd: &str, now: Timestamp) -> Result<Granted, Box<Refusal>> {
    set.reserve(&Request::whole(owner, dollars(usd)), now)
}

/// Booked and reserved, in dollars.
fn counts(set: &BudgetSet, name: &str, now: Timestamp) -> (String, String) {
    let (_, _, settled, reserved) = set.status(now).into_iter().find(|(budget, ..)| &*budget.name == name).unwrap();
    let text = |nanos: u64| Nano::new(i64::try_from(nanos).unwrap()).unwrap().to_string();
    (text(settled), text(reserved))
}

fn pair(settled: &str, reserved: &str) -> (String, String) {
    (settled.to_owned(), reserved.to_owned())
}

const KEY: Owner<'_> = Owner {
    key: Some("k"),
    team: Some("t"),
    organisation: Some("o"),
    tags: &["x", "x"],
    model: Some("large"),
    same_models: &[],
    provider: None,
    is_attempt: false,
};

#[test]
fn acceptance_11_key_team_and_organisation_grant_all_or_nothing() {
    let set = set(vec![
        budget("all", Scope::All, "100"),
        budget("org", of(ScopeKind::Organisation, "o"), "2"),
        budget("team", of(ScopeKind::Team, "t"), "3"),
        budget("key", of(ScopeKind::Key, "k"), "10"),
        budget("tag", of(ScopeKind::Tag, "x"), "10"),
        budget("other", of(ScopeKind::Team, "u"), "1"),
    ]);
    let first = reserve(&set, KEY, "1.5", now()).unwrap();
    let refusal = reserve(&set, KEY, "1", now()).unwrap_err();
    assert_eq!((&*refusal.budget, refusal.reason), ("org", RefusalReason::Exhausted));
    for name in ["all", "org", "team", "key", "tag"] {
        assert_eq!(counts(&set, name, now()), pair("0", "1.5"), "{name}");
    }
    first.reservation.settle(&dollars("0.25"));
    for name in ["all", "org", "team", "key", "tag"] {
        assert_eq!(counts(&set, name, now()), pair("0.25", "0"), "{name}");
    }
    assert_eq!(counts(&set, "other", now()), pair("0", "0"));
}

#[test]
fn a_refusal_names_budget_amounts_and_reset() {
    let budget = budget("team-a-day", of(ScopeKind::Key, "k"), "1").zoned("Europe/Berlin").unwrap();
    let set = set(vec![budget]);
    reserve(&set, KEY, "0.75", now()).unwrap().reservation.keep();
    let refusal = reserve(&set, KEY, "0.5", now()).unwrap_err();
    let text = "budget \"team-a-day\" is used up: $0.75 of $1; it is reset at 2026-11-21T23:00:00Z";
    assert_eq!((refusal.to_string().as_str(), refusal.retry_after(now())), (text, Some(11 * 3_600)));
    let large = reserve(&set, KEY, "2", now()).unwrap_err();
    assert_eq!((large.reason, large.retry_after(now())), (RefusalReason::TooLarge, None));
    // The next day has room again.
    assert!(reserve(&set, KEY, "1", at("2026-11-21T23:00:00Z")).is_ok());
}

#[test]
fn a_reservation_is_current_until_the_first_of_its_windows_ends() {
    let budgets = [("day", Period::Day), ("minute", Period::Minute), ("total", Period::Total)];
    let set = set(budgets.map(|(name, per)| Budget { per, ..budget(name, Scope::All, "1") }).into());
    let reservation = reserve(&set, KEY, "0.1", now()).unwrap().reservation;
    let seconds = [("11:59:59", false), ("12:00:00", true), ("12:00:59", true), ("12:01:00", false)];
    for (second, is_current) in seconds {
        assert_eq!(reservation.is_current(at(&format!("2026-11-21T{second}Z"))), is_current, "{second}");
    }
    reservation.finish();
}

#[test]
fn acceptance_3_an_answer_that_ends_after_midnight_settles_in_the_window_that_reserved() {
    let set = set(vec![budget("day", of(ScopeKind::Key, "k"), "1").zoned("Europe/Berlin").unwrap()]);
    // The night when the day has 25 hours: it ends at 23:00 UTC.
    let (before, after) = (at("2026-10-25T22:59:59Z"), at("2026-10-25T23:00:01Z"));
    let mut late = reserve(&set, KEY, "1", before).unwrap().reservation;
    let next = reserve(&set, KEY, "1", after).unwrap();
    late.spend(&dollars("0.5"));
    late.finish();
    assert_eq!(counts(&set, "day", after), pair("0", "1"));
    assert_eq!(counts(&set, "day", before), pair("0.5", "0"));
    next.reservation.finish();
    assert_eq!(counts(&set, "day", after), pair("0", "0"));
}

#[test]
fn acceptance_12_a_clock_that_is_set_back_an_hour_gives_nothing_away() {
    for period in [Period::Minute, Period::Hour, Period::Day, Period::Month, Period::Days(30), Period::Total] {
        let set = set(vec![Budget { per: period, ..budget("b", of(ScopeKind::Key, "k"), "1") }]);
        let before = at("2026-11-30T23:20:00Z");
        let after = at("2026-12-01T00:10:00Z");
        let back = at("2026-11-30T23:20:30Z");
        reserve(&set, KEY, "1", before).unwrap().reservation.keep();
        let open = reserve(&set, KEY, "1", after).ok();
        assert_eq!(open.is_some(), !matches!(period, Period::Total | Period::Days(30)), "{period:?}");
        assert!(reserve(&set, KEY, "1", back).is_err(), "{period:?}");
        if let Some(open) = open {
            open.reservation.settle(&dollars("1"));
            assert!(reserve(&set, KEY, "1", after).is_err(), "{period:?}");
        }
        assert_eq!(set.dropped(), 0);
    }
}

#[test]
fn acceptance_4_a_reservation_ends_once_and_is_kept_if_it_is_dropped() {
    let set = set(vec![budget("b", of(ScopeKind::Key, "k"), "10")]);
    let mut left = reserve(&set, KEY, "2", now()).unwrap().reservation;
    // The client left after three tokens: what was seen is booked, the rest returned.
    left.spend(&dollars("0.000003"));
    left.finish();
    assert_eq!(counts(&set, "b", now()), pair("0.000003", "0"));
    drop(reserve(&set, KEY, "2", now()).unwrap());
    assert_eq!((counts(&set, "b", now()), set.dropped()), (pair("2.000003", "0"), 1));
    reserve(&set, KEY, "3", now()).unwrap().reservation.keep();
    assert_eq!((counts(&set, "b", now()), set.dropped()), (pair("5.000003", "0"), 1));
}

#[test]
fn acceptance_8_each_attempt_that_was_billed_is_booked() {
    let requests = Budget::new("requests", of(ScopeKind::Key, "k"), Limit::Requests(1), Period::Day);
    let set = set(vec![budget("usd", of(ScopeKind::Key, "k"), "10"), requests]);
    let mut reservation = reserve(&set, KEY, "1", now()).unwrap().reservation;
    reservation.spend(&dollars("0.4"));
    reservation.spend(&Spend { requests: 0, ..dollars("0.7") });
    assert_eq!(counts(&set, "usd", now()), pair("1.1", "0"));
    reservation.finish();
    let (_, _, requests, _) = set.status(now())[1];
    assert_eq!(requests, 1);
    assert_eq!(
        reserve(&set, KEY, "1", now()).unwrap_err().to_string(),
        "budget \"requests\" is used up: 1 requests of 1 requests; it is reset at 2026-11-22T00:00:00Z"
    );
}

#[test]
fn acceptance_6_what_has_no_price_is_refused_allowed_or_assumed() {
    let unpriced = Spend::unpriced(2_000_000);
    let try_with = |rule: Unpriced| {
        let set = set(vec![Budget { unpriced: rule, ..budget("b", of(ScopeKind::Key, "k"), "10") }]);
        let granted = set.reserve(&Request::whole(KEY, unpriced), now())?;
        granted.reservation.settle(&Spend::unpriced(1_000_000));
        Ok::<_, Box<Refusal>>(counts(&set, "b", now()))
    };
    assert_eq!(try_with(Unpriced::Refuse).unwrap_err().reason, RefusalReason::Unpriced);
    assert_eq!(try_with(Unpriced::Allow).unwrap(), pair("0", "0"));
    assert_eq!(try_with(Unpriced::assume("2.5").unwrap()).unwrap(), pair("2.5", "0"));
}

#[test]
fn acceptance_5_usage_without_a_price_takes_the_whole_reservation() {
    let set = set(vec![budget("b", of(ScopeKind::Key, "k"), "10")]);
    reserve(&set, KEY, "4", now()).unwrap().reservation.settle(&Spend::unpriced(5));
    assert_eq!(counts(&set, "b", now()), pair("4", "0"));
}

#[test]
fn a_reservation_takes_what_is_left_if_that_is_enough() {
    let set = set(vec![budget("b", of(ScopeKind::Key, "k"), "1")]);
    let request =
        |least| Request { owner: KEY, model: KEY.model, most: dollars("0.75"), least: dollars(least), is_free: false };
    let first = set.reserve(&request("0.1"), now()).unwrap();
    assert_eq!(counts(&set, "b", now()), pair("0", "0.75"));
    assert!(set.reserve(&request("0.3"), now()).is_err());
    let second = set.reserve(&request("0.1"), now()).unwrap();
    assert_eq!(counts(&set, "b", now()), pair("0", "1"));
    // Nothing is left: not even a request that needs nothing is admitted.
    assert!(set.reserve(&request("0"), now()).is_err());
    first.reservation.finish();
    // More than was reserved is owed.
    second.reservation.settle(&dollars("1.5"));
    assert_eq!(counts(&set, "b", now()), pair("1.5", "0"));
}

#[test]
fn what_is_free_asks_only_for_room_for_a_request() {
    let of = |name, limit| Budget::new(name, Scope::All, limit, Period::Day);
    let down = WhenOver::Downgrade("small".into());
    let set = set(vec![
        budget("money", Scope::All, "1"),
        of("tokens", Limit::Tokens(0)),
        of("requests", Limit::Requests(2)),
        Budget { when_over: down, ..budget("down", Scope::All, "0") },
    ]);
    let nothing = Request::whole(Owner::default(), Spend::unpriced(0));
    assert!(set.reserve(&nothing, now()).is_err());
    let free = Request { is_free: true, ..nothing };
    let holds: Vec<Granted> = (0..2).map(|_| set.reserve(&free, now()).unwrap()).collect();
    assert_eq!(&*set.reserve(&free, now()).unwrap_err().budget, "requests");
    // What turns out to be owed all the same is booked.
    for granted in holds {
        granted.reservation.settle(&dollars("0.5"));
    }
    assert_eq!((counts(&set, "money", now()), counts(&set, "down", now())), (pair("1", "0"), pair("1", "0")));
}

#[test]
fn over_its_limit_a_budget_downgrades_or_notifies() {
    let downgrade = WhenOver::Downgrade("small".into());
    let set = set(vec![
        Budget { when_over: downgrade, ..budget("d", of(ScopeKind::Key, "k"), "1") },
        Budget { when_over: WhenOver::Notify, ..budget("n", of(ScopeKind::Team, "t"), "0.5") },
    ]);
    let first = reserve(&set, KEY, "0.9", now()).unwrap();
    assert_eq!(
        first.notices.iter().map(|notice| (&*notice.budget, notice.kind)).collect::<Vec<_>>(),
        [("n", NoticeKind::Over)]
    );
    let refusal = reserve(&set, KEY, "0.9", now()).unwrap_err();
    assert_eq!(refusal.downgrade.as_deref(), Some("small"));
    let again = Owner { model: Some("small"), ..KEY };
    let second = reserve(&set, again, "0.9", now()).unwrap();
    assert!(second.notices.iter().any(|notice| &*notice.budget == "d" && notice.is_first));
    assert_eq!(counts(&set, "d", now()), pair("0", "1.8"));
    first.reservation.finish();
    second.reservation.finish();
    // A budget that refuses outright comes before one that downgrades.
    let hard = set.with(vec![
        Budget { when_over: WhenOver::Downgrade("small".into()), ..budget("d", of(ScopeKind::Key, "k"), "1") },
        budget("hard", of(ScopeKind::Team, "t"), "1"),
    ]);
    assert_eq!(&*reserve(&hard.unwrap(), KEY, "2", now()).unwrap_err().budget, "hard");
}

#[test]
fn the_soft_limit_is_an_event_once_and_a_warning_each_time() {
    let set = set(vec![Budget { soft: Some(Share::soft("0.8").unwrap()), ..budget("b", Scope::All, "1") }]);
    let mut first = reserve(&set, KEY, "0.9", now()).unwrap().reservation;
    assert!(first.spend(&dollars("0.79")).is_empty());
    let reached = first.spend(&dollars("0.01"));
    assert!(matches!(&reached[..], [notice] if notice.kind == NoticeKind::Soft && notice.is_first));
    first.finish();
    let second = reserve(&set, KEY, "0.1", now()).unwrap();
    assert!(matches!(&second.notices[..], [notice] if !notice.is_first));
    second.reservation.finish();
    let tomorrow = reserve(&set, KEY, "0.1", at("2026-11-22T00:00:00Z")).unwrap();
    assert!(tomorrow.notices.is_empty());
    tomorrow.reservation.finish();
}

#[test]
fn a_stream_ends_where_its_budget_says() {
    let set = set(vec![
        budget("finishes", Scope::All, "1"),
        Budget { abort_at: Some(Share::abort("1.2").unwrap()), ..budget("ends", of(ScopeKind::Key, "k"), "1") },
    ]);
    reserve(&set, KEY, "0.5", now()).unwrap().reservation.keep();
    let stream = reserve(&set, KEY, "0.5", now()).unwrap().reservation;
    assert_eq!(stream.abort(&dollars("0.7")), None);
    assert_eq!(stream.abort(&dollars("0.700000001")), Some(Abort { budget: "ends".into() }));
    stream.finish();
}

#[test]
fn an_attempt_counts_at_its_provider_only() {
    let set = set(vec![budget("all", Scope::All, "10"), budget("p", of(ScopeKind::Provider, "p"), "1")]);
    let request = reserve(&set, KEY, "1", now()).unwrap();
    let attempt = reserve(&set, Owner::attempt_at("p"), "1", now()).unwrap();
    assert!(reserve(&set, Owner::attempt_at("p"), "1", now()).is_err());
    assert!(reserve(&set, Owner::attempt_at("q"), "1", now()).is_ok());
    attempt.reservation.settle(&dollars("0.5"));
    request.reservation.settle(&dollars("0.5"));
    assert_eq!((counts(&set, "all", now()), counts(&set, "p", now())), (pair("0.5", "0"), pair("0.5", "0")));
}

#[test]
fn replaced_budgets_keep_their_counts() {
    let first = set(vec![budget("b", of(ScopeKind::Key, "k"), "1")]);
    let open = reserve(&first, KEY, "1", now()).unwrap();
    let second = first.with(vec![budget("b", of(ScopeKind::Key, "k"), "5")]).unwrap();
    assert_eq!(counts(&second, "b", now()), pair("0", "1"));
    open.reservation.settle(&dollars("0.5"));
    assert_eq!(counts(&second, "b", now()), pair("0.5", "0"));
    let other = second.with(vec![Budget { per: Period::Week, ..budget("b", of(ScopeKind::Key, "k"), "5") }]).unwrap();
    assert_eq!(counts(&other, "b", now()), pair("0", "0"));
    let twice = vec![budget("b", Scope::All, "1"), budget("b", Scope::All, "2")];
    assert_eq!(first.with(twice).unwrap_err(), BudgetError::Repeated("b".into()));
}

#[test]
fn a_clock_that_was_ahead_finds_the_windows_again_that_it_left() {
    let set = set(vec![Budget { per: Period::Minute, ..budget("b", Scope::All, "1") }]);
    let at = |minute: i64| Timestamp::from_second(now().as_second() + minute * 60).unwrap();
    let spends = |minute| {
        let reserved = reserve(&set, KEY, "1", at(minute)).map(|granted| granted.reservation.keep());
        set.changes();
        reserved.is_ok()
    };
    assert!(spends(0));
    assert_eq!([100, 101, 102].map(spends), [true; 3]);
    assert_eq!([0, 1, 0, 1, 2, 1].map(spends), [false, true, false, false, true, false]);
    assert_eq!([200, 1, 300, 1, 400, 1, 500, 1].map(spends), [true, false, true, false, true, false, true, false]);
}

#[test]
fn old_windows_are_forgotten() {
    let set = set(vec![Budget { per: Period::Minute, ..budget("b", Scope::All, "1") }]);
    let held = reserve(&set, KEY, "1", now()).unwrap();
    for minute in 1..500 {
        let now = Timestamp::from_second(now().as_second() + minute * 60).unwrap();
        reserve(&set, KEY, "1", now).unwrap().reservation.keep();
        if minute % 2 == 0 && minute < 300 {
            set.changes();
        }
    }
    assert!(set.snapshot().len() < 80, "{}", set.snapshot().len());
    held.reservation.settle(&dollars("0.5"));
    let first = set.changes().into_iter().min_by_key(|row| row.start).unwrap();
    assert_eq!((first.start, first.settled, first.reserved), (now().as_second(), 500_000_000, 0));
}
