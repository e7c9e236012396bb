//! The script on a real server answers as [`weir_lease::Pool`] does, and servers that fail are told apart.

mod questions;
mod rolling;

use std::cell::RefCell;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::runtime::Runtime;
use weir_lease::{Before, Kind, Pool, Report};

use super::server::{Reply, SCRIPT, arguments, keys};
use super::*;

/// Ends the server when its input ends: also if this process is killed.
const GUARD: &str = r#"redis-server "$@" >/dev/null 2>&1 & read -r line; kill -9 $!; wait"#;

/// A server in a temporary folder.
struct Redis {
    guard: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Redis {
    /// None, with a word, where it is not installed.
    fn start(arguments: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("SKIPPED: redis-server is not installed, so this test shows nothing");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARD, "redis", "--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]).args(arguments).current_dir(folder.path());
        let guard = command.stdin(Stdio::piped()).spawn().unwrap();
        let redis = Self { guard, port, _folder: folder };
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "redis-server does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(redis)
    }

    fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn server(&self) -> PoolServer {
        PoolServer::new(Address::parse(&self.address()).unwrap(), None)
    }
}

fn request(kind: Kind, limit: u64, report: Report) -> PoolRequest {
    let kept = Some(Duration::from_hours(1));
    PoolRequest { pool: "weir:{test}".to_owned(), kind, limit, kept, entry: "a".to_owned(), nodes: 3, report }
}

/// What a node does next: its number, its use and ceiling and wishes, milliseconds that pass before, and more.
#[derive(Debug, Clone)]
struct Act {
    node: usize,
    passes: u64,
    is_known: bool,
    generation: u64,
    is_late: bool,
    before: Option<u64>,
    numbers: [u64; 5],
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let passes = prop_oneof![6 => 0..3_000_u64, 2 => 5_900..6_100_u64, 1 => 0..90_000_000_u64];
    let before = prop_oneof![9 => Just(None), 1 => (0..60_u64).prop_map(Some)];
    let flags = (any::<bool>(), 0..3_u64, prop::bool::weighted(0.1), before);
    let act = (0..4_usize, passes, flags, prop::array::uniform5(0..60_u64));
    let act = act.prop_map(|(node, passes, (is_known, generation, is_late, before), numbers)| Act {
        node,
        passes,
        is_known,
        generation,
        is_late,
        before,
        numbers,
    });
    prop::collection::vec(act, 1..40)
}

#[test]
fn the_script_answers_as_the_pool_does() {
    let Some(redis) = Redis::start(&[]) else { return };
    // The same script, with the time as a further argument.
    let text = SCRIPT.replace("redis.call('TIME')", "{math.floor(ARGV[17] / 1000), (ARGV[17] % 1000) * 1000}");
    assert_ne!(text, SCRIPT);
    let client = redis::Client::open(redis.address()).unwrap();
    let connection = RefCell::new(client.get_connection().unwrap());
    for kind in [Kind::Window, Kind::Bucket, Kind::Places] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
        runner
            .run(&(acts(), 0..200_u64), |(acts, limit)| {
                let (): () = redis::cmd("FLUSHALL").query(&mut *connection.borrow_mut()).unwrap();
                let mut now = 1_700_000_000_000_u64;
                let first = now + acts.first().map_or(0, |act| act.passes);
                let mut pool = Pool::new(kind, first * 1_000);
                for (seq, act) in (1..).zip(acts) {
                    now += act.passes;
                    let [used, ceiling, short, ahead, gone] = act.numbers;
                    let generation = if act.generation == 0 { first * 1_000 } else { act.generation };
                    let before = act.before.map(|used| Before { entry: "old".to_owned(), used });
                    let seq = if act.is_late { 1 } else { seq };
                    let report =
                        Report { seq, used, ceiling, short, ahead, is_known: act.is_known, generation, gone, before };
                    let entry = format!("node-{}", act.node);
                    let expected = pool.exchange(limit, &entry, &report, 3, Duration::from_millis(now));
                    let request = PoolRequest { entry, ..request(kind, limit, report) };
                    let mut call = redis::cmd("EVAL");
                    call.arg(&text).arg(2).arg(&keys(&request.pool)).arg(arguments(&request)).arg(now.to_string());
                    let row: Vec<String> = call.query(&mut *connection.borrow_mut()).unwrap();
                    let Reply(answer) = Reply::read(&row).unwrap();
                    prop_assert_eq!(answer.map(|(answer, _)| answer), expected, "{:?} at {}", request, now);
                }
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_round_is_answered_in_its_order_also_after_the_server_has_lost_the_script() {
    let Some(redis) = Redis::start(&[]) else { return };
    let runtime = Runtime::new().unwrap();
    let mut server = redis.server();
    for seq in 1..=3 {
        let report = Report { seq, short: seq, ceiling: 0, ..Report::default() };
        let mut other = request(Kind::Places, 5, report.clone());
        other.pool = "weir:{other}".to_owned();
        let requests = [request(Kind::Window, 100, report.clone()), other, request(Kind::Window, 100, report)];
        let round = runtime.block_on(server.exchange(&requests)).unwrap();
        let ceilings: Vec<_> = round.answers.iter().map(|answer| answer.map(|answer| answer.ceiling)).collect();
        assert_eq!(ceilings, [Some(seq), Some(seq), None], "the last one has the number of the first");
        assert!(round.now.is_some());
        let client = redis::Client::open(redis.address()).unwrap();
        let (): () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut client.get_connection().unwrap()).unwrap();
    }
}

#[test]
fn what_the_server_does_not_allow_is_told_apart_from_what_fails() {
    let runtime = Runtime::new().unwrap();
    let ask = |server: &mut PoolServer| {
        let report = Report { seq: 1, ..Report::default() };
        runtime.block_on(server.exchange(&[request(Kind::Window, 1, report)])).unwrap_err()
    };
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut nowhere = PoolServer::new(Address::parse(&format!("redis://127.0.0.1:{gone}")).unwrap(), None);
    assert!(matches!(ask(&mut nowhere), ServerError::Connection(_)));
    // A server that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut silent_server = PoolServer::new(Address::parse(&format!("valkey://127.0.0.1:{port}")).unwrap(), None);
    assert_eq!(ask(&mut silent_server), ServerError::Late);
    let Some(redis) = Redis::start(&["--requirepass", "a-word"]) else { return };
    assert!(matches!(ask(&mut redis.server()), ServerError::NotAllowed(_)));
    let Some(redis) = Redis::start(&[]) else { return };
    let client = redis::Client::open(redis.address()).unwrap();
    let words = ["SETUSER", "poor", "on", ">word", "~*", "+@all", "-@scripting"];
    let (): () = redis::cmd("ACL").arg(&words).query(&mut client.get_connection().unwrap()).unwrap();
    let address = Address::parse(&format!("redis://poor:word@127.0.0.1:{}", redis.port)).unwrap();
    let refused = ask(&mut PoolServer::new(address, None));
    assert!(matches!(refused, ServerError::NotAllowed(_)), "{refused:?}");
    let replica = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(gone).query(&mut client.get_connection().unwrap());
    let () = replica.unwrap();
    let refused = ask(&mut redis.server());
    assert!(matches!(&refused, ServerError::Refused(text) if text.contains("ReadOnly")), "{refused:?}");
}

#[test]
fn a_server_that_sends_without_end_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The beginning of a text of a gigabyte.
        stream.write_all(b"$1073741824\r\n").unwrap();
        let (mut sent, piece) = (0_u64, vec![b'x'; 65_536]);
        while stream.write_all(&piece).is_ok() {
            sent += 65_536;
        }
        sent
    });
    let runtime = Runtime::new().unwrap();
    let mut node = PoolServer::new(Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap(), None);
    let report = Report { seq: 1, ..Report::default() };
    let failed = runtime.block_on(node.exchange(&[request(Kind::Window, 1, report)])).unwrap_err();
    assert!(matches!(failed, ServerError::Connection(_)), "{failed:?}");
    drop(node);
    drop(runtime);
    let sent = server.join().unwrap();
    assert!(sent < 64 << 20, "{sent} bytes, of which most wait in the system's buffers");
}

#[test]
fn an_address_shows_no_login_and_other_texts_are_none() {
    let address = Address::parse("rediss://user:a-word@cache.internal:6390/2").unwrap();
    assert_eq!((format!("{address:?}").as_str(), address.has_tls), ("cache.internal:6390", true));
    for text in ["", "redis://", "http://cache", "cache:6379", "unix:///run/redis.sock", "redis+unix:///x"] {
        assert!(Address::parse(text).is_err(), "{text}");
    }
}
