//! Kills while rows of the log wait to be written: what is lost is bounded and told, and nothing else is damaged.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;
use weir_tests::{Trouble, program};

use super::*;

/// A request counts 1 there, from its admission on.
const BUDGET: &str = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nrequests = 1000000000\nper = \"total\"\n";

/// The requests of both lanes, whole and streamed, over and over.
fn request(number: usize) -> Request {
    let from = [OPENAI, ANTHROPIC][number / 4 % 2];
    from.request(["openai", "openai-t"][number / 2 % 2], number.is_multiple_of(2))
}

/// Noon of this day, from the machine's clock on: no day ends meanwhile.
fn noon() -> Trouble {
    let mut clock = Trouble::none();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    clock.set_clock(43_200 - now % 86_400);
    clock
}

impl Kept {
    /// How many requests the budget has counted, and how many the sums of use.
    async fn counted(&self) -> (u64, u64) {
        let budget = self.admin("/admin/budgets").await.json()["budgets"][0].clone();
        assert_eq!(budget["reserved"], 0, "{budget}");
        let sums = self.admin("/admin/v1/usage?by=provider").await.json();
        let sums = sums["items"].as_array().unwrap().iter().map(|sum| number(sum, "requests")).sum();
        (number(&budget, "settled"), sums)
    }

    /// How many requests of the day the log lacks, as the command says too.
    async fn missing(&self) -> u64 {
        let missing = self.admin("/admin/v1/requests/gaps").await.json()["missing"].as_u64().unwrap();
        let (done, told) = command(self, &["log", "gaps"]).await;
        assert!(done && told.contains(&format!("the log lacks {missing} requests")), "{told}");
        missing
    }

    /// The client's ids of all facts, each of which is there once.
    async fn ids(&self) -> BTreeSet<String> {
        let (mut ids, mut page) = (BTreeSet::new(), String::new());
        loop {
            let found = self.admin(&format!("/admin/v1/requests?limit=1000{page}")).await.json();
            for fact in found["items"].as_array().unwrap() {
                assert!(ids.insert(text(fact, "client_request_id").to_owned()), "twice: {fact}");
            }
            let Some(next) = found["next_cursor"].as_str() else { return ids };
            page = format!("&cursor={next}");
        }
    }

    /// The files of the store, of the days only or all of them.
    fn files(&self, are_days: bool) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_day = |file: &PathBuf| file.file_stem().is_some_and(|name| name != "weir");
        files.filter(|file| file.extension().is_some_and(|end| end == "db") && (!are_days || is_day(file))).collect()
    }

    fn check_files(&self) {
        let files = self.files(false);
        assert_eq!(files.len(), 2, "{files:?}");
        for file in files {
            let found: String =
                Connection::open(&file).unwrap().query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "ok", "{}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_written_at_a_kill_is_missing_by_its_number_and_costs_budgets_and_sums_nothing() {
    const WRITTEN: usize = 8;
    const WAITING: usize = 16;
    let upstream = provider().await;
    let (clock, config) = (noon(), config_of(&[OPENAI], &upstream) + BUDGET);
    let kept = Kept::start_as(clock.command(), Folder::with(&["openai", "anthropic"]), &config);
    let served = async |numbers: std::ops::Range<usize>| {
        for number in numbers {
            let reply = kept.ask(&request(number).header("x-request-id", &format!("id-{number}"))).await;
            assert_eq!((reply.status(), reply.cut), (200, false), "{}", reply.text());
        }
    };
    served(0..WRITTEN).await;
    program::until_kept(kept.address, Some(TOKEN)).await;
    // The day's file is another's to write, as at a slow disk; sums have a file of their own.
    let files = kept.files(true);
    let [day] = &files[..] else { panic!("{files:?}") };
    let other = Connection::open(day).unwrap();
    other.execute_batch("begin immediate").unwrap();
    served(WRITTEN..WRITTEN + WAITING).await;
    program::until_budgets_are_kept(kept.address, Some(TOKEN)).await;
    let all = (WRITTEN + WAITING) as u64;
    for _ in 0..2_000 {
        if kept.counted().await == (all, all) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let queued = program::metric(kept.address, Some(TOKEN), "weir_request_log_queued").await;
    assert_eq!(queued, Some(WAITING as f64));
    let Kept { program, folder, .. } = kept;
    drop(program);
    drop(other);
    let kept = Kept::start_as(clock.command(), folder, &config);
    assert_eq!(kept.counted().await, (all, all));
    assert_eq!(kept.missing().await, WAITING as u64);
    assert_eq!(kept.ids().await, (0..WRITTEN).map(|number| format!("id-{number}")).collect());
    kept.check_files();
    // And the log goes on, without hiding what it lacks.
    assert_eq!(kept.ask(&request(0).header("x-request-id", "id-after")).await.status(), 200);
    kept.of("id-after").await;
    assert_eq!(kept.missing().await, WAITING as u64);
}

/// How often the program is killed; `WEIR_KILLS` sets more.
const KILLS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_time_nothing_is_damaged_or_free_and_no_more_is_missing_than_was_lost() {
    let upstream = provider().await;
    let (clock, config) = (noon(), config_of(&[OPENAI], &upstream) + BUDGET);
    let kills = std::env::var("WEIR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let (sent, mut seed) = (Arc::new(AtomicUsize::new(0)), 0x9e37_79b9_7f4a_7c15_u64);
    let mut kept = Kept::start_as(clock.command(), Folder::with(&["openai", "anthropic"]), &config);
    // What the budget had counted of the rounds before, and how many requests these had sent: each kill costs some.
    let (mut counted, mut before) = (0, 0);
    for round in 1..=kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
        let (end, ends) = watch::channel(());
        let clients = [(); 4].map(|()| tokio::spawn(served_until(kept.address, Arc::clone(&sent), ends.clone())));
        tokio::time::sleep(Duration::from_millis((seed >> 53) % 1_000)).await;
        let begun = sent.load(SeqCst);
        program::until_budgets_are_kept(kept.address, Some(TOKEN)).await;
        let ids = kept.ids().await;
        tokio::time::sleep(Duration::from_millis((seed >> 33) % 1_300)).await;
        end.send(()).unwrap();
        let Kept { program, folder, .. } = kept;
        // With requests under way, and others answered whose facts wait.
        drop(program);
        let answered = futures_util::future::join_all(clients).await.into_iter().flat_map(|client| client.unwrap().0);
        let answered = answered.collect::<BTreeSet<_>>();
        kept = Kept::start_as(clock.command(), folder, &config);
        let (budget, sums) = kept.counted().await;
        let sent = sent.load(SeqCst) as u64;
        let old = counted + (begun as u64).saturating_sub(before + 4);
        assert!((old..=sent).contains(&budget), "round {round}: {budget} requests of {old} to {sent} at the budget");
        assert!(sums <= sent, "round {round}: {sums} requests of {sent} in the sums of use");
        let found = kept.ids().await;
        assert!(found.is_superset(&ids), "round {round}: lost after it was shown: {:?}", ids.difference(&found));
        let lost = sent - found.len() as u64;
        let missing = kept.missing().await;
        assert!(missing <= lost, "round {round}: {missing} missing, {lost} lost");
        assert!(answered.difference(&found).count() as u64 <= lost, "round {round}: facts that were not of requests");
        kept.check_files();
        (counted, before) = (budget, sent);
    }
}

/// Sends one request after the other until the end, and returns which were answered wholly, with the connection: the
/// last request on it is under way until it is dropped.
async fn served_until(
    address: SocketAddr,
    sent: Arc<AtomicUsize>,
    mut ends: watch::Receiver<()>,
) -> (Vec<String>, Client) {
    let (mut answered, mut client) = (Vec::new(), Client::connect(address).await);
    loop {
        let number = sent.fetch_add(1, SeqCst);
        let id = format!("id-{number}");
        client.send(&request(number).header("x-request-id", &id)).await;
        tokio::select! {
            biased;
            _ = ends.changed() => return (answered, client),
            reply = client.reply() => assert_eq!((reply.status(), reply.cut), (200, false), "{}", reply.text()),
        }
        answered.push(id);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
