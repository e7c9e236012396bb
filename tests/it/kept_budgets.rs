//! What budgets have counted is kept: where deployments have a place for it, for processes that overlap, and with a
//! word where it is not.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use weir_test_postgres::Database;
use weir_tests::plugins::{root, target};
use weir_tests::program::{self, ask, file};
use weir_tests::{Answer, Client, Disk, Folder, Gate, Program, Request, Trouble, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, config_of, gated_provider};

/// The tokens of every answer.
const TOKENS: u64 = 17;

async fn provider() -> Upstream {
    Upstream::always(Answer::json(200, OPENAI.whole())).await
}

fn config(upstream: &Upstream) -> String {
    config_of(&[OPENAI], upstream) + "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"\n"
}

/// A program with these variables, and the address that it listens on.
fn start(folder: &Folder, config: &str, variables: &[(String, String)]) -> (Program, SocketAddr) {
    let mut command = Command::new(file());
    command.envs(variables.iter().cloned());
    let started = Program::start_as(command, folder, &target().join("test-cache"), config);
    let address = started.address();
    (started, address)
}

/// Asks for the state of all budgets, of a gateway with an administrator too.
fn budgets() -> Request {
    Request::get("/admin/budgets").header("authorization", "Bearer TOKEN")
}

async fn spend(address: SocketAddr) {
    assert_eq!(ask(address, &OPENAI.request("openai", false)).await.status(), 200);
}

/// Waits until so much is booked, and nothing reserved.
async fn until_settled(address: SocketAddr, tokens: u64) {
    let mut page = String::new();
    for _ in 0..1_000 {
        let reply = ask(address, &budgets()).await;
        page = reply.text();
        let budget = &reply.json()["budgets"][0];
        if budget["settled"] == tokens && budget["reserved"] == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {tokens}: {page}");
}

/// The variables of a file of `deploy/` that say where things are kept, with folders of this machine in place of those
/// that the deployment may write to.
fn variables(file: &str, before: &str, places: &[(&str, &Path)]) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("deploy").join(file)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix(before)?.split_once('='));
    let lines = lines.filter(|(name, _)| name.starts_with("WEIR_STORE__"));
    let placed = |value: &str| {
        places.iter().fold(value.to_owned(), |value, (from, to)| value.replace(from, &to.display().to_string()))
    };
    lines.map(|(name, value)| (name.to_owned(), placed(value))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_go_on_after_a_restart_in_the_places_that_the_image_and_the_unit_have_for_them() {
    let upstream = provider().await;
    let state = tempfile::tempdir().unwrap();
    let (data, lib) = (state.path().join("data"), state.path().join("lib"));
    fs::create_dir(&lib).unwrap();
    let deployments = [
        (variables("Dockerfile", "ENV ", &[("/data", &data)]), &data),
        (variables("systemd/weir.service", "Environment=", &[("/var/lib/weir", &lib)]), &lib),
    ];
    for (variables, place) in deployments {
        assert!(!variables.is_empty());
        let folder = Folder::with(&["openai"]);
        let (first, address) = start(&folder, &config(&upstream), &variables);
        spend(address).await;
        first.stop();
        assert!(first.has_succeeded());
        assert!(place.join("weir-budgets.json").is_file() && !folder.path().join("weir-budgets.json").exists());
        let (_second, address) = start(&folder, &config(&upstream), &variables);
        until_settled(address, TOKENS).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_overlap_lose_nothing_of_what_both_count() {
    let upstream = provider().await;
    let (folder, config) = (Folder::with(&["openai"]), config(&upstream));
    let (old, at_old) = start(&folder, &config, &[]);
    spend(at_old).await;
    until_settled(at_old, TOKENS).await;
    let (new, at_new) = start(&folder, &config, &[]);
    for _ in 0..3 {
        spend(at_old).await;
        spend(at_new).await;
    }
    until_settled(at_new, 7 * TOKENS).await;
    until_settled(at_old, 7 * TOKENS).await;
    spend(at_old).await;
    spend(at_new).await;
    for program in [new, old] {
        program.stop();
        assert!(program.has_succeeded());
    }
    let (_last, address) = start(&folder, &config, &[]);
    until_settled(address, 9 * TOKENS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_shows() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai"]);
    let place = folder.path().join("weir.toml/state").display().to_string();
    let (program, address) = start(&folder, &config(&upstream), &[("WEIR_STORE__STATE_DIR".to_owned(), place)]);
    program.until("the counts of budgets are not kept: after a restart they start from zero");
    spend(address).await;
    let ready = ask(address, &Request::get("/ready")).await;
    assert_eq!((ready.status(), &ready.json()["status"]), (200, &"degraded".into()), "{}", ready.text());
    assert_eq!(ready.json()["budgets"]["state"], "failing");
    let metrics = ask(address, &Request::get("/metrics")).await.text();
    assert!(metrics.contains("\nweir_budgets_state 1"), "{metrics}");
}

/// What was under way at a kill may have cost all that was reserved for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_of_answers_books_what_was_reserved_for_them_in_both_lanes_whole_and_streamed() {
    let gate = Gate::default();
    let upstream = gated_provider(&gate).await;
    let of = |team: &str| {
        format!(
            "[[clients]]\nname = \"{team}\"\nkey = \"weir-{team}-0123456789\"\nteam = \"{team}\"\n\
             [[budgets]]\nname = \"{team}\"\nfor = {{ team = \"{team}\" }}\ntokens = 1000000\nper = \"total\"\n"
        )
    };
    let config = config_of(&[OPENAI, ANTHROPIC], &upstream) + &of("red") + &of("blue") + "[admin]\ntoken = \"TOKEN\"\n";
    let folder = Folder::with(&["openai", "anthropic"]);
    let (first, address) = start(&folder, &config, &[]);
    let mut under_way = Vec::new();
    for (client, model) in [(OPENAI, "openai"), (OPENAI, "openai-t"), (ANTHROPIC, "openai"), (ANTHROPIC, "anthropic")] {
        for stream in [false, true] {
            let mut connection = Client::connect(address).await;
            connection.send(&client.request(model, stream).bearer("weir-red-0123456789")).await;
            if stream {
                assert_eq!(connection.head().await.status, 200);
            }
            under_way.push(connection);
        }
    }
    let counted = async |address| -> Vec<(u64, u64)> {
        let page = ask(address, &budgets()).await.json();
        let of = |team: &str| {
            let all = page["budgets"].as_array().unwrap();
            let budget = all.iter().find(|budget| budget["name"] == team).unwrap();
            (budget["settled"].as_u64().unwrap(), budget["reserved"].as_u64().unwrap())
        };
        ["red", "blue"].map(of).to_vec()
    };
    let all = async {
        while program::metric(address, Some("TOKEN"), "weir_in_flight").await != Some(under_way.len() as f64) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    weir_tests::soon("all requests", all).await;
    let before = counted(address).await;
    assert!(before[0].0 == 0 && before[0].1 > 8 * TOKENS && before[1] == (0, 0), "{before:?}");
    program::until_budgets_are_kept(address, Some("TOKEN")).await;
    drop(first);
    let (_second, address) = start(&folder, &config, &[]);
    assert_eq!(counted(address).await, [(before[0].1, 0), (0, 0)], "before the first request, and never free");
}

/// Where counts were kept before the disk was full, the next start goes on from these, and the log says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_full_costs_what_was_counted_since_and_tells_so() {
    let upstream = provider().await;
    let (folder, config, mut trouble) = (Folder::with(&["openai"]), config(&upstream), Trouble::none());
    let program = Program::start_as(trouble.command(), &folder, &target().join("test-cache"), &config);
    let address = program.address();
    spend(address).await;
    program::until_budgets_are_kept(address, None).await;
    trouble.set_disk(Disk::Full);
    spend(address).await;
    let told = program.until("the counts of budgets are not kept");
    assert!(told.contains("they go on from those that were kept last"), "{told}");
    assert_eq!(ask(address, &Request::get("/ready")).await.json()["budgets"]["state"], "failing");
    drop(program);
    let (again, address) = start(&folder, &config, &[]);
    until_settled(address, TOKENS).await;
    drop(again);
}

/// A configuration with a database, and a client whose requests are served without it.
fn with_database(upstream: &Upstream, database: &Database) -> String {
    let client = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n[admin]\ntoken = \"TOKEN\"\n";
    format!("{}{client}[store]\nurl = \"{}\"\n", config(upstream), database.url())
}

fn by_client() -> Request {
    OPENAI.request("openai", false).header("authorization", "Bearer weir-some-0123456789")
}

/// What a node counts as used, and what of that is only reserved.
async fn used(address: SocketAddr) -> (u64, u64) {
    let budget = ask(address, &budgets()).await.json()["budgets"][0].clone();
    let [settled, reserved] = ["settled", "reserved"].map(|name| budget[name].as_u64().unwrap());
    (settled + reserved, reserved)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_one_database_count_together_and_a_kill_costs_what_was_reserved_also_in_a_new_place() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let config = with_database(&upstream, &database);
    // As pods have them: nothing of one node's folder is there for the next.
    let folders = [(); 3].map(|()| Folder::with(&["openai"]));
    let [(one, at_one), (_other, at_other)] = [0, 1].map(|at| start(&folders[at], &config, &[]));
    for _ in 0..2 {
        for address in [at_one, at_other] {
            assert_eq!(ask(address, &by_client()).await.status(), 200);
        }
    }
    for address in [at_one, at_other] {
        until_settled(address, 4 * TOKENS).await;
    }
    // Killed while its provider works: whatever that charges, the other node learns of the reservation, and so does the
    // next.
    upstream.now(Answer::silence());
    let under_way = tokio::spawn(async move { ask(at_one, &by_client()).await.status() });
    let mut held = 0;
    for _ in 0..2_000 {
        let (sum, _) = used(at_other).await;
        held = sum - 4 * TOKENS;
        if held > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(held > 0, "the other node does not count what is reserved");
    drop(one);
    under_way.abort();
    let (_next, at_next) = start(&folders[2], &config, &[]);
    assert_eq!(used(at_next).await, (4 * TOKENS + held, 0), "known before the first request, and never free");
    upstream.now(Answer::json(200, OPENAI.whole()));
    assert_eq!(ask(at_next, &by_client()).await.status(), 200);
    until_settled(at_other, 5 * TOKENS + held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_finds_no_database_at_its_start_tells_it_and_adds_what_it_counts_later() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let config = with_database(&upstream, &database);
    let folders = [(); 2].map(|()| Folder::with(&["openai"]));
    let (first, address) = start(&folders[0], &config, &[]);
    assert_eq!(ask(address, &by_client()).await.status(), 200);
    first.stop();
    assert!(first.has_succeeded());
    database.stop();
    let (program, address) = start(&folders[1], &config, &[]);
    assert!(program.log().contains("the counts of budgets are not kept"), "{}", program.log());
    assert_eq!(ask(address, &by_client()).await.status(), 200);
    let ready = ask(address, &Request::get("/ready")).await;
    assert_eq!(ready.json()["budgets"]["state"], "failing", "{}", ready.text());
    let metrics = ask(address, &Request::get("/metrics").header("authorization", "Bearer TOKEN")).await.text();
    assert!(metrics.contains("\nweir_budgets_state 1"), "{metrics}");
    database.go();
    until_settled(address, 2 * TOKENS).await;
    program.until("the state of budgets is kept again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_of_budgets_is_told_at_the_start_with_what_helps() {
    let upstream = provider().await;
    let folder = Folder::with(&["openai"]);
    let file = folder.path().join("weir-budgets.json");
    for damaged in [&b"{\"version\":1,"[..], b"\xff\xfe", b"{\"version\":9,\"shapes\":{},\"rows\":[]}"] {
        fs::write(&file, damaged).unwrap();
        let program =
            Program::start_as(Command::new(program::file()), &folder, &target().join("test-cache"), &config(&upstream));
        let told = program.until("budgets cannot go on where they stopped");
        assert!(told.contains("weir-budgets.json") && told.contains("move it away"), "{told}");
        assert!(!program.has_succeeded());
    }
    // As it says.
    fs::rename(&file, folder.path().join("aside")).unwrap();
    let (_program, address) = start(&folder, &config(&upstream), &[]);
    until_settled(address, 0).await;
}

/// Runs a statement in a database; returns what it prints.
pub(crate) fn sql(database: &Database, statement: &str) -> String {
    let words = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, &database.url()];
    let output = Command::new("psql").args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until each budget has so much booked, and nothing reserved.
async fn until_all_settled(address: SocketAddr, tokens: u64) {
    let mut page = String::new();
    for _ in 0..1_000 {
        let reply = ask(address, &budgets()).await;
        page = reply.text();
        let all = reply.json()["budgets"].take();
        let is_so = |budget: &serde_json::Value| budget["settled"] == tokens && budget["reserved"] == 0;
        if all.as_array().unwrap().len() == 2 && all.as_array().unwrap().iter().all(is_so) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {tokens}: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_earlier_versions_have_counted_in_a_database_goes_on() {
    let Some(database) = Database::start() else { return };
    if Command::new("psql").arg("--version").output().is_err() {
        println!("SKIPPED: psql is not installed, so this test shows nothing");
        return;
    }
    let upstream = provider().await;
    let config = with_database(&upstream, &database);
    let folder = Folder::with(&["openai"]);
    let (first, address) = start(&folder, &config, &[]);
    let own = r#"{"id": "own", "for": "all", "tokens": 1000000, "per": "total"}"#;
    let made = Request::post("/admin/v1/budgets", own).header("authorization", "Bearer TOKEN");
    assert_eq!(ask(address, &made).await.status(), 201);
    assert_eq!(ask(address, &by_client()).await.status(), 200);
    until_all_settled(address, TOKENS).await;
    first.stop();
    assert!(first.has_succeeded());
    // Budgets of the store were counted without when they were made, and all of them without whose use it is.
    for (at, former) in
        ["regexp_replace(shape, ' made [0-9]+$', '')", "split_part(shape, ' of ', 1)"].iter().enumerate()
    {
        let rows = sql(&database, &format!("select count(*) from weir.budget_counts where shape <> {former}"));
        assert_eq!(rows, (at + 1).to_string(), "{former}");
        sql(&database, &format!("update weir.budget_counts set shape = {former}"));
        let (next, address) = start(&folder, &config, &[]);
        let used = (at as u64 + 1) * TOKENS;
        until_all_settled(address, used).await;
        assert_eq!(ask(address, &by_client()).await.status(), 200);
        until_all_settled(address, used + TOKENS).await;
        next.stop();
        assert!(next.has_succeeded());
        assert_eq!(sql(&database, "select count(*) from weir.budget_counts"), "2", "each is counted under one shape");
    }
}

/// Half past an hour, from the machine's clock on: no test is so slow that the hour ends meanwhile.
fn half_past() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    1_800 - now % 3_600
}

/// A budget with room for two requests an hour, and a client whose requests need no database.
async fn a_clock_that_is_set_back_gives_nothing_back(upstream: &Upstream, store: &str) {
    let client = "[[clients]]\nname = \"some\"\nkey = \"weir-some-0123456789\"\n[admin]\ntoken = \"TOKEN\"\n";
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nrequests = 2\nper = \"hour\"\n";
    let config = format!("{}{budget}{client}{store}", config_of(&[OPENAI], upstream));
    let (mut clock, folder, base) = (Trouble::none(), Folder::with(&["openai"]), half_past());
    let begin = |clock: &Trouble| {
        let program = Program::start_as(clock.command(), &folder, &target().join("test-cache"), &config);
        let address = program.address();
        (program, address)
    };
    clock.set_clock(base);
    let (first, address) = begin(&clock);
    let status = async |address| ask(address, &by_client()).await.status();
    for ahead in [0, 3_600] {
        clock.set_clock(base + ahead);
        for expected in [200, 200, 429] {
            assert_eq!(status(address).await, expected, "{ahead} seconds ahead");
        }
        program::until_budgets_are_kept(address, Some("TOKEN")).await;
    }
    clock.set_clock(base);
    assert_eq!(status(address).await, 429, "an hour back");
    first.stop();
    assert!(first.has_succeeded());
    let (_second, address) = begin(&clock);
    assert_eq!(status(address).await, 429, "and after a restart");
    clock.set_clock(base + 3_600);
    assert_eq!(status(address).await, 429, "and where it had been");
    clock.set_clock(base + 7_200);
    assert_eq!(status(address).await, 200, "a new hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_an_hour_gives_nothing_of_a_budget_back() {
    a_clock_that_is_set_back_gives_nothing_back(&provider().await, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_an_hour_gives_nothing_of_a_budget_in_a_database_back() {
    let Some(database) = Database::start() else { return };
    a_clock_that_is_set_back_gives_nothing_back(&provider().await, &format!("[store]\nurl = \"{}\"\n", database.url()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_a_year_ahead_ends_nothing_that_other_nodes_of_its_database_count_and_log() {
    let Some(database) = Database::start() else { return };
    let upstream = provider().await;
    let config = with_database(&upstream, &database).replace("\"total\"", "\"month\"");
    let folders = [(); 3].map(|()| Folder::with(&["openai"]));
    let (_right, address) = start(&folders[0], &config, &[]);
    let reply = ask(address, &by_client()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let id = reply.header("x-weir-request-id").unwrap().to_owned();
    program::until_kept(address, Some("TOKEN")).await;
    let mut clock = Trouble::none();
    clock.set_clock(400 * 86_400);
    let ahead = Program::start_as(clock.command(), &folders[1], &target().join("test-cache"), &config);
    let at_ahead = ahead.address();
    // The days are looked at behind the first write, so before the second one.
    for _ in 0..2 {
        assert_eq!(ask(at_ahead, &by_client()).await.status(), 200);
        program::until_kept(at_ahead, Some("TOKEN")).await;
    }
    let (_new, at_new) = start(&folders[2], &config, &[]);
    assert_eq!(used(at_new).await, (TOKENS, 0), "what was used this month");
    let found = Request::get(&format!("/admin/v1/requests/{id}")).header("authorization", "Bearer TOKEN");
    assert_eq!(ask(address, &found).await.status(), 200);
}
