//! A disk in trouble, a clock that jumps, and secrets that may not reach either of them. With contents kept, in both
//! lanes, whole and streamed.

use weir_tests::{Disk, Trouble};

use super::bodies::{keeping, own_id};
use super::*;

impl Kept {
    /// The store's part of `/ready`, once this is true of it.
    async fn until_store(&self, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..1_000 {
            last = self.admin("/ready").await.json()["store"].clone();
            if is(&last) {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{last}\n{}", self.program.log());
    }

    /// Each of these requests is answered.
    async fn all_served(&self) {
        for from in [OPENAI, ANTHROPIC] {
            for (model, stream) in [("openai", false), ("openai", true), ("openai-t", false), ("anthropic", true)] {
                let reply = self.ask(&from.request(model, stream)).await;
                assert_eq!((reply.status(), reply.cut), (200, false), "{}", reply.text());
            }
        }
    }

    /// Whether a file of the store has this text in it.
    pub(super) fn has_in_files(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = files.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains("db")));
        // SQLite removes its log of a file when the last connection is closed.
        files.any(|file| std::fs::read(file).is_ok_and(|bytes| memchr::memmem::find(&bytes, text.as_bytes()).is_some()))
    }
}

fn lost(store: &Value, what: &str, reason: &str) -> u64 {
    store["dropped_by_reason"][what][reason].as_u64().unwrap_or_else(|| panic!("no {what} {reason} in {store}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_read_only_or_hangs_costs_no_request_and_what_is_lost_is_told_by_its_reason() {
    let upstream = provider().await;
    let mut trouble = Trouble::none();
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let kept = Kept::start_as(trouble.command(), folder, &keeping("all", "max_queue_rows = 8", &upstream));
    // So few rows find room only where none wait.
    kept.until_store(|store| store["log"] == "working" && store["queued"] == 0).await;
    kept.content(&own_id(&kept.ask(&OPENAI.request("openai", false)).await)).await;
    let mut before = [0, 0];
    for disk in [Disk::Full, Disk::ReadOnly, Disk::Hanging] {
        trouble.set_disk(disk);
        kept.all_served().await;
        // With contents, that is more than waits.
        kept.all_served().await;
        let store = kept
            .until_store(|store| {
                let are_lost = lost(store, "fact", "full") > before[0] && lost(store, "body", "full") > before[1];
                // That a write has been waiting for long is seen later.
                are_lost && (store["log"] == "failing" || disk == Disk::Hanging)
            })
            .await;
        assert_eq!(store["dropped"], lost(&store, "fact", "full"), "{disk:?}: {store}");
        let metrics = kept.admin("/metrics").await.text();
        for what in ["fact", "body"] {
            let name = format!("weir_request_log_dropped_total{{reason=\"full\",what=\"{what}\"}} ");
            let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
            assert!(line.unwrap().parse::<u64>().unwrap() >= lost(&store, what, "full"), "{disk:?}: {line:?}");
        }
        trouble.set_disk(Disk::Well);
        let store = kept.until_store(|store| store["log"] == "working" && store["queued"] == 0).await;
        before = ["fact", "body"].map(|what| lost(&store, what, "full"));
        let id = format!("after-{disk:?}");
        let reply = kept.ask(&ANTHROPIC.request("openai", false).header("x-request-id", &id)).await;
        kept.content(&own_id(&reply)).await;
        kept.of(&id).await;
    }
}

/// Where the clocks of Berlin are set forward and back, and where a day and a year end, in UTC.
const TURNS: [&str; 4] =
    ["2027-03-28T01:00:00Z", "2026-10-25T01:00:00Z", "2026-12-02T00:00:00Z", "2027-01-01T00:00:00Z"];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_and_no_content_is_lost_where_a_day_ends_or_a_clock_is_set() {
    let upstream = provider().await;
    let mut clock = Trouble::none();
    let mut command = clock.command();
    command.env("TZ", "Europe/Berlin");
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let kept = Kept::start_as(command, folder, &keeping("all", "retention = \"3650d\"", &upstream));
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let (mut ids, mut days) = (Vec::new(), BTreeSet::new());
    for turn in TURNS {
        let turn = turn.parse::<jiff::Timestamp>().unwrap().as_second();
        // From turn to turn the clock goes months forward and back, and at each over it and an hour back.
        for at in [turn - 2, turn + 2, turn - 3_600] {
            clock.set_clock(at - now());
            days.insert(jiff::Timestamp::from_second(at).unwrap().to_string()[..10].to_owned());
            let id = format!("id-{}", ids.len());
            let request = OPENAI.request("anthropic", ids.len() % 2 == 0).header("x-request-id", &id);
            let reply = kept.ask(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            ids.push((id, own_id(&reply)));
        }
        // A process counts by the day once a second: what it numbered before a clock goes over months must be counted
        // there.
        weir_tests::program::until_kept(kept.address, Some(TOKEN)).await;
    }
    clock.set_clock(0);
    for (id, own) in &ids {
        assert_eq!(text(&kept.of(id).await, "id"), own);
        let content = kept.content(own).await;
        assert!(content["client"]["request"].to_string().contains("Hi"), "{id}: {content}");
    }
    kept.found("", ids.len()).await;
    for day in days {
        let gaps = kept.admin(&format!("/admin/v1/requests/gaps?day={day}")).await.json();
        assert_eq!(gaps["missing"], 0, "{day}: {gaps}");
        assert!(kept.folder.path().join(format!("weir-{day}.db")).is_file(), "{day}");
    }
}

/// What a clock that is wrong for a while ended would not come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_clock_that_is_months_ahead_ends_no_day_of_the_log() {
    let upstream = provider().await;
    let config = keeping("all", "", &upstream);
    let mut clock = Trouble::none();
    let folder = Folder::with(&["openai", "anthropic", "zeta"]);
    let kept = Kept::start_as(clock.command(), folder, &config);
    let mut ids = Vec::new();
    for (model, stream) in [("openai", false), ("openai-t", true)] {
        ids.push(own_id(&kept.ask(&OPENAI.request(model, stream)).await));
    }
    for id in &ids {
        kept.content(id).await;
    }
    kept.stop();
    let Kept { program, folder, .. } = kept;
    drop(program);
    clock.set_clock(90 * 86_400);
    let kept = Kept::start_as(clock.command(), folder, &config);
    // The days are looked at behind the first write, so before the second one.
    for id in ["id-ahead-1", "id-ahead-2"] {
        kept.ask(&OPENAI.request("openai", false).header("x-request-id", id)).await;
        kept.of(id).await;
    }
    clock.set_clock(0);
    for id in &ids {
        kept.content(id).await;
    }
    kept.found("", 4).await;
}

/// Whether a share of one half has a request by its id: the last step of `splitmix64` of its last eight bytes, in
/// millionths.
fn is_of_half(id: &str) -> bool {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    let mut mixed = u64::from_str_radix(&digits[16..], 16).unwrap();
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 1_000_000 < 500_000
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contents_of_a_share_are_chosen_by_the_id_and_those_of_failures_are_always_kept() {
    let upstream = provider().await;
    let kept = Kept::start(&keeping("50%", "", &upstream));
    let mut ids = Vec::new();
    for number in 0..24 {
        let model = ["openai", "openai-t", "no-such-model"][number % 3];
        let reply = kept.ask(&OPENAI.request(model, false)).await;
        assert_eq!(reply.status(), if number % 3 == 2 { 404 } else { 200 }, "{}", reply.text());
        ids.push((own_id(&reply), reply.status() == 404));
    }
    let last = kept.ask(&OPENAI.request("openai", false).header("x-weir-log", "full")).await;
    kept.content(&own_id(&last)).await;
    let mut shares = BTreeSet::new();
    for (id, has_failed) in ids {
        let is_chosen = is_of_half(&id);
        if !has_failed {
            shares.insert(is_chosen);
        }
        if is_chosen || has_failed {
            kept.content(&id).await;
        } else {
            assert!(kept.has_none(&id).await, "{id}");
        }
    }
    assert_eq!(shares.len(), 2, "some are kept and some are not");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_header_that_is_not_listed_nor_of_a_key_in_a_query_is_ever_in_the_log() {
    // No rule knows them for secrets, and each place has one of its own: what is learnt of one hides no other.
    const WORD: &str = "plain-word-of-";
    let word = |place: &str| format!("{WORD}{place}");
    let upstream = Upstream::scripted(move |request| {
        let wire_format = if request.line().contains("/messages") { ANTHROPIC } else { OPENAI };
        let headers = ["set-cookie", "x-of-provider", "x-upstream-token"].map(|name| (name, word(name)));
        let headers = headers.each_ref().map(|(name, word)| (*name, &**word));
        let headers = [&[("content-type", "application/json")][..], &headers].concat();
        Answer::whole(200, &headers, wire_format.whole())
    })
    .await;
    let kept = Kept::start(&keeping("all", "", &upstream));
    for from in [OPENAI, ANTHROPIC] {
        for model in ["openai", "openai-t", "anthropic", "anthropic-t", "no-such-model"] {
            let path = if from == OPENAI { "/v1/chat/completions" } else { "/v1/messages" };
            let sent = String::from_utf8(from.request(model, false).sent()).unwrap();
            let body = sent.split_once("\r\n\r\n").map_or(&*sent, |(_, body)| body);
            let request = Request::post(&format!("{path}?key={WORD}key&api_key={WORD}api"), body);
            let request = request.header("authorization", &format!("Bearer {}", word("bearer")));
            let request = ["cookie", "x-own", "x-access-token"]
                .into_iter()
                .fold(request, |request, name| request.header(name, &word(name)));
            let reply = kept.ask(&request).await;
            assert_eq!(reply.status(), if model == "no-such-model" { 404 } else { 200 }, "{}", reply.text());
            let id = own_id(&reply);
            let content = kept.content(&id).await.to_string();
            assert!(!content.contains(WORD), "{} to {model}: {content}", from.name);
            let fact = kept.admin(&format!("/admin/v1/requests/{id}")).await.text();
            assert!(!fact.contains(WORD), "{} to {model}: {fact}", from.name);
        }
    }
    assert!(kept.has_in_files("messages"), "the files have the contents");
    assert!(!kept.has_in_files(WORD), "while the log is open");
    kept.stop();
    assert!(!kept.has_in_files(WORD), "after its end");
}
