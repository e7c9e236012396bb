//! Nodes that are apart: by a broken link, by a clock that is wrong, by death. And a server that is away, and one that
//! does not allow what is needed.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weir_tests::plugins::target;
use weir_tests::{Answer, Client, Gate, Program, Trouble, program};

use super::*;

/// The way to the server, which can be cut.
struct Link {
    port: u16,
    is_cut: watch::Sender<bool>,
}

impl Link {
    async fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Self { port: listener.local_addr().unwrap().port(), is_cut: watch::Sender::new(false) };
        let (server, cut) = (redis.url().replace("redis://", ""), link.is_cut.subscribe());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (server, mut cut) = (server.clone(), cut.clone());
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        link
    }

    /// These settings with the server behind this link.
    fn within(&self, settings: &str, redis: &Redis) -> String {
        settings.replace(&redis.url(), &format!("redis://127.0.0.1:{}", self.port))
    }
}

/// A node in a process of its own.
fn process(command: std::process::Command, settings: &str) -> (Program, SocketAddr, Folder) {
    let folder = Folder::with(&["openai"]);
    let program = Program::start_as(command, &folder, &target().join("test-cache"), settings);
    let address = program.address();
    (program, address, folder)
}

fn request(stream: bool) -> Request {
    OPENAI.request("openai", stream).header("authorization", &format!("Bearer {KEY}"))
}

async fn status(address: SocketAddr) -> u16 {
    let reply = program::ask(address, &request(false)).await;
    assert!(matches!(reply.status(), 200 | 429), "{} {}", reply.status(), reply.text());
    reply.status()
}

/// How many rounds of a node's reports have had this result.
async fn rounds(address: SocketAddr, result: &str) -> u64 {
    let series = format!("weir_shared_rounds_total{{result=\"{result}\"}}");
    program::metric(address, None, &series).await.unwrap_or_default() as u64
}

/// A stream whose first piece has arrived.
async fn stream(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).await;
    client.send(&request(true)).await;
    assert_eq!(client.head().await.status, 200);
    client.piece().await.unwrap();
    client
}

/// A provider whose streams wait for a gate in their midst.
async fn gated(gate: &Gate) -> Upstream {
    let pieces = OPENAI.stream();
    let begun = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(gate);
    let streamed = pieces[2..].iter().fold(begun, Answer::piece).end();
    Upstream::scripted(
        move |request| {
            if OPENAI.wants_stream(request) { streamed.clone() } else { Answer::json(200, OPENAI.whole()) }
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_cut_off_comes_back_with_its_use_once_and_nothing_is_given_back_twice() {
    let Some(redis) = Redis::start() else { return };
    let gate = Gate::default();
    let upstream = gated(&gate).await;
    let tokens = "[[budgets]]\nname = \"tokens\"\nfor = \"all\"\nper = \"total\"\ntokens = 1000000\n";
    let settings = settings(&upstream, &redis, "", &(budget("requests = 60") + tokens));
    let link = Link::to(&redis).await;
    let (cut_off, other) = (node(&link.within(&settings, &redis)).await, node(&settings).await);
    let nodes = [Arc::clone(&cut_off), Arc::clone(&other)];
    assert_eq!(served(&nodes, 10).await, 10);
    // Reserved before the cut, and settled, with the rest given back, while the node is alone.
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(stream(cut_off.address).await);
    }
    for gateway in &nodes {
        gateway.until_metric("weir_shared_nodes", 2.0).await;
    }
    link.is_cut.send_replace(true);
    cut_off.until_metric("weir_shared_state", 1.0).await;
    // Half of the limit is a node's part, whatever it has leased.
    assert_eq!(served(&[Arc::clone(&cut_off)], 8).await, 8);
    for mut client in streams {
        gate.open();
        assert!(!client.rest().await.1);
    }
    assert_eq!(served(&[Arc::clone(&other)], 7).await, 7);
    link.is_cut.send_replace(false);
    cut_off.until_metric("weir_shared_state", 0.0).await;
    let mut used = 10 + 2 + 8 + 7;
    // A node hears of the others' use when it uses a budget itself.
    for gateway in &nodes {
        assert_eq!(ask(gateway).await.status(), 200);
        used += 1;
    }
    for gateway in &nodes {
        gateway.until_metric("weir_budget_used{budget=\"all\"}", used as f64).await;
        gateway.until_metric("weir_budget_used{budget=\"tokens\"}", (used * TOKENS) as f64).await;
    }
    assert_eq!(served(&nodes, 100).await as u64, 60 - used, "what is left is served, and no more");
    assert_eq!(served(&nodes, 20).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_held_comes_back_and_what_it_used_stays() {
    let Some(redis) = Redis::start() else { return };
    let upstream = gated(&Gate::default()).await;
    let settings = settings(&upstream, &redis, "streams = 2", &budget("requests = 10"));
    let (killed, address, _folder) = process(std::process::Command::new(program::file()), &settings);
    let other = node(&settings).await;
    assert_eq!(status(address).await, 200);
    let _streams = [stream(address).await, stream(address).await];
    let refused = other.ask(&request(true)).await;
    assert_eq!(refused.status(), 429, "both places are taken: {}", refused.text());
    // What it used in its last second it has not reported yet.
    let reported = async {
        let before = rounds(address, "answered").await;
        while rounds(address, "answered").await < before + 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("its reports", reported).await;
    drop(killed);
    let returned = async {
        loop {
            let mut client = Client::connect(other.address).await;
            client.send(&request(true)).await;
            if client.head().await.status == 200 {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let _stream = soon("the places of the killed node", returned).await;
    assert_eq!(served(&[other], 20).await, 6, "four of ten were used by the streams and by the request");
}

/// The hour of the server's clock.
fn hour(redis: &Redis) -> u64 {
    redis.run(&["time"]).lines().next().unwrap().parse::<u64>().unwrap() / 3_600
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_clocks_are_hours_apart_share_one_window_also_when_a_clock_is_set() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nper = \"hour\"\nrequests = 12\n";
    let settings = settings(&upstream, &redis, "requests_per_minute = 6000", budget);
    let settings = format!("{settings}[admin]\ntoken = \"token-of-the-operator\"\n");
    // No two of them are in one hour by their own clocks.
    let mut clocks = [7_200, 0, -7_200].map(|ahead| {
        let mut clock = Trouble::none();
        clock.set_clock(ahead);
        clock
    });
    let began = hour(&redis);
    let nodes = clocks.each_ref().map(|clock| process(clock.command(), &settings));
    let mut served = 0;
    for (_, address, _) in &nodes {
        for _ in 0..2 {
            assert_eq!(status(*address).await, 200);
            served += 1;
        }
    }
    clocks[0].set_clock(-300);
    clocks[2].set_clock(300);
    for _ in 0..8 {
        for (_, address, _) in &nodes {
            served += u64::from(status(*address).await == 200);
        }
    }
    let mut windows = Vec::new();
    for (_, address, _) in &nodes {
        let page = Request::get("/admin/v1/budgets").header("authorization", "Bearer token-of-the-operator");
        windows.push(program::ask(*address, &page).await.json()["items"][0]["window"].clone());
    }
    // In a new hour of the server, all of it may be used again.
    if hour(&redis) == began {
        assert_eq!(served, 12);
        assert!(windows.iter().all(|window| window["end"].is_string() && *window == windows[0]), "{windows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_nodes_serve_ten_requests_where_ten_a_minute_may_be_served() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "requests_per_minute = 10", "");
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(node(&settings).await);
    }
    let begun = Instant::now();
    let served = served(&nodes, 160).await;
    // One comes back every six seconds.
    let most = 10 + begun.elapsed().as_secs() as usize / 6 + 1;
    assert!((10..=most).contains(&served), "{served} of ten a minute were served");
}

/// The lines of a program's log, of these levels.
fn lines(program: &Program, levels: &[&str]) -> Vec<Value> {
    let log = program.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| levels.iter().any(|level| line["level"] == *level)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_and_comes_back_under_load_leaves_one_line_each_time_and_is_tried_once_a_second() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    let settings = settings(&upstream, &redis, "requests_per_minute = 1000000", &budget("requests = 1000000"));
    let (program, address, _folder) = process(std::process::Command::new(program::file()), &settings);
    let at_start = lines(&program, &["WARN", "ERROR"]).len();
    for fault in ["killed", "hanging"] {
        assert_eq!(status(address).await, 200);
        let (begun, before) = (Instant::now(), rounds(address, "failed").await);
        if fault == "killed" {
            redis.kill();
        } else {
            redis.hang();
        }
        let mut tries = 0;
        while tries < 3 {
            for _ in 0..10 {
                assert_eq!(status(address).await, 200, "{fault}");
            }
            tries = rounds(address, "failed").await - before;
        }
        let most = begun.elapsed().as_secs() + 2;
        assert!(tries <= most, "{fault}: {tries} tries in {most} seconds");
        if fault == "killed" {
            redis.go();
        } else {
            redis.wake();
        }
        program.until("limits and budgets are shared again");
    }
    let changes = lines(&program, &["WARN", "ERROR"]).split_off(at_start);
    let said = |line: &Value| line.to_string().contains("limits and budgets are not shared");
    assert!(changes.len() == 2 && changes.iter().all(said), "one line for each time: {changes:#?}");
    let back = lines(&program, &["INFO"]).iter().filter(|line| line.to_string().contains("shared again")).count();
    assert_eq!(back, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_may_not_run_scripts_or_use_the_keys_ends_the_start_with_a_word() {
    let Some(redis) = Redis::start() else { return };
    let upstream = provider(OPENAI).await;
    for (name, rights) in [
        ("no-scripts", &["~*", "+@all", "-@scripting"][..]),
        ("no-load", &["~*", "+@all", "-script|load"]),
        ("other-keys", &["~other:*", "+@all"]),
    ] {
        let words = [&["acl", "setuser", name, "on", ">word"], rights].concat();
        assert_eq!(redis.run(&words).trim(), "OK", "{name}");
        let login = redis.url().replace("redis://", &format!("redis://{name}:word@"));
        let settings = settings(&upstream, &redis, "", &budget("requests = 10")).replace(&redis.url(), &login);
        let folder = Folder::with(&["openai"]);
        let program = Program::start(&folder, &target().join("test-cache"), &settings);
        let line = program.until("the user needs the commands evalsha and script|load");
        assert!(line.contains("shared.url") && !line.contains(":word"), "{name}: {line}");
        assert!(!program.has_succeeded(), "{name}");
    }
}
