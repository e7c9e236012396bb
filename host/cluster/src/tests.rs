//! The script on a real server answers as [`weir_lease::Pool`] does, and each kind of failing server has its own error.

mod questions;
mod rolling;

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
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

/// What the amounts of a test are multiplied by: also so that the limit is one of the largest that there are.
fn scales() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_u64), Just(1_000_000_000_000)]
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
    numbers: [u64; 6],
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let passes = prop_oneof![6 => 0..3_000_u64, 2 => 5_900..6_100_u64, 1 => 0..90_000_000_u64];
    let before = prop_oneof![9 => Just(None), 1 => (0..60_u64).prop_map(Some)];
    let flags = (any::<bool>(), 0..3_u64, prop::bool::weighted(0.1), before);
    let act = (0..4_usize, passes, flags, prop::array::uniform6(0..60_u64));
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
    let text = SCRIPT.replace("redis.call('TIME')", "{math.floor(ARGV[18] / 1000), (ARGV[18] % 1000) * 1000}");
    assert_ne!(text, SCRIPT);
    let client = redis::Client::open(redis.address()).unwrap();
    let connection = RefCell::new(client.get_connection().unwrap());
    for kind in [Kind::Window, Kind::Bucket, Kind::Places] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(60));
        runner
            .run(&(acts(), 0..1_000_u64, scales()), |(acts, limit, scale)| {
                let limit = if scale == 1 { limit / 5 } else { limit * scale };
                let (): () = redis::cmd("FLUSHALL").query(&mut *connection.borrow_mut()).unwrap();
                let mut now = 1_700_000_000_000_u64;
                let first = now + acts.first().map_or(0, |act| act.passes);
                let mut pool = Pool::new(kind, first * 1_000);
                for (seq, act) in (1..).zip(acts) {
                    now += act.passes;
                    let [used, ceiling, short, ahead, gone, returned] = act.numbers.map(|number| number * scale);
                    // Few nodes give anything back.
                    let returned = if act.node == 3 { returned } else { 0 };
                    let generation = if act.generation == 0 { first * 1_000 } else { act.generation };
                    let before = act.before.map(|used| Before { entry: "old".to_owned(), used: used * scale });
                    let seq = if act.is_late { 1 } else { seq };
                    let is_known = act.is_known;
                    let report =
                        Report { seq, used, ceiling, short, ahead, is_known, generation, gone, before, returned };
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
fn a_limit_beyond_all_numbers_and_a_pool_that_somebody_wrote_over_leave_the_others_shared() {
    let Some(redis) = Redis::start(&[]) else { return };
    let client = redis::Client::open(redis.address()).unwrap();
    let (): () = redis::cmd("SET").arg("weir:{text}").arg("x").query(&mut client.get_connection().unwrap()).unwrap();
    let (runtime, mut server) = (Runtime::new().unwrap(), redis.server());
    let report = Report { seq: 1, short: 5, ..Report::default() };
    let of = |pool: &str, limit, report: &Report| PoolRequest {
        pool: pool.to_owned(),
        ..request(Kind::Window, limit, report.clone())
    };
    let all = Report { used: u64::MAX, ceiling: u64::MAX, ..report.clone() };
    let requests = [
        of("weir:{small}", 100, &report),
        of("weir:{large}", u64::MAX, &report),
        of("weir:{text}", 100, &report),
        of("weir:{full}", 1, &all),
        of("weir:{last}", 100, &report),
    ];
    let round = runtime.block_on(server.exchange(&requests)).unwrap();
    let ceilings: Vec<_> = round.answers.iter().map(|answer| answer.map(|answer| answer.ceiling)).collect();
    assert_eq!(ceilings, [Some(5), Some(5), None, Some(u64::MAX), Some(5)]);
    let left: Vec<_> = round.answers.iter().map(|answer| answer.map(|answer| answer.left)).collect();
    assert_eq!(left, [Some(95), Some(i64::MAX), None, Some(i64::MIN), Some(95)]);
    let Some(ServerError::Refused(text)) = &round.unread else { panic!("{:?}", round.unread) };
    assert!(text.contains("WRONGTYPE"), "{text}");
}

#[test]
fn an_answer_that_makes_no_sense_is_the_loss_of_its_own_pool_only() {
    let good = ["5", "0", "0", "95", "1", "7", "1700000000000"];
    for bad in [
        vec!["5", "0", "0", "95", "1", "7", "soon"],
        vec!["5", "0", "0", "1e300", "1", "7", "1700000000000"],
        vec!["-5", "0", "0", "95", "1", "7", "1700000000000"],
        vec!["5"],
    ] {
        let rows = [good.to_vec(), bad.clone(), good.to_vec()];
        let row = |row: &Vec<&str>| {
            let texts: Vec<String> = row.iter().map(|text| format!("${}\r\n{text}\r\n", text.len())).collect();
            format!("*{}\r\n{}", row.len(), texts.concat())
        };
        let answers: String = rows.iter().map(row).collect();
        let port = answering("EVALSHA", 3, &answers);
        let runtime = Runtime::new().unwrap();
        let mut node = PoolServer::new(Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap(), None);
        let report = Report { seq: 1, ..Report::default() };
        let requests: [PoolRequest; 3] = std::array::from_fn(|_| request(Kind::Window, 100, report.clone()));
        let round = runtime.block_on(node.exchange(&requests)).unwrap();
        let has_answer: Vec<bool> = round.answers.iter().map(Option::is_some).collect();
        assert_eq!((has_answer, round.unread), (vec![true, false, true], Some(ServerError::Senseless)), "{bad:?}");
    }
}

/// A server that answers a number of calls of a command at once with these bytes, and every earlier command with a
/// word.
fn answering(command: &'static str, calls: usize, answers: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers = answers.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut text, mut piece, mut answered) = (String::new(), vec![0; 65_536], 0);
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            text.push_str(&String::from_utf8_lossy(&piece[..read]));
            // Arrays of texts begin each command.
            let begun = text.matches("\r\n*").count() + 1;
            if text.matches(command).count() == calls {
                stream.write_all(answers.as_bytes()).unwrap();
                return drop(stream.read(&mut piece));
            }
            while answered < begun && !text.contains(command) {
                stream.write_all(b"$2\r\nOK\r\n").unwrap();
                answered += 1;
            }
        }
    });
    port
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
fn a_server_with_a_part_of_the_data_is_told_apart() {
    let runtime = Runtime::new().unwrap();
    let ask = |command, answer: &str| {
        let address = Address::parse(&format!("redis://127.0.0.1:{}", answering(command, 1, answer))).unwrap();
        let report = Report { seq: 1, ..Report::default() };
        runtime.block_on(PoolServer::new(address, None).exchange(&[request(Kind::Window, 1, report)])).unwrap_err()
    };
    let info = "cluster_state:ok\r\ncluster_known_nodes:6\r\ncluster_size:3\r\n";
    assert_eq!(ask("CLUSTER", &format!("${}\r\n{info}\r\n", info.len())), ServerError::Cluster);
    assert_eq!(ask("EVALSHA", "-MOVED 3999 127.0.0.1:6381\r\n"), ServerError::Cluster);
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
