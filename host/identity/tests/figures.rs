//! Figures of a large directory. With `WEIR_FIGURES=1` it has a million keys and the figures are printed; else it is
//! smaller, and the test checks that the directory works. For figures that mean something:
//! `WEIR_FIGURES=1 cargo test -p weir-identity --config profile.dev.package.weir-identity.opt-level=3 --test figures --
//! --nocapture`.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use weir_identity::directory::Change;
use weir_identity::document::{Document, Key, Kind};
use weir_identity::{DirectoryWriter, KeyId, KeyText};

fn text(number: u64) -> KeyText {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&number.to_le_bytes());
    KeyText::from_random(KeyId::from_bits(number), &secret)
}

/// A key of one of a thousand teams and with one of a hundred sets of limits.
fn key(number: u64, template: &Key) -> Key {
    let text = text(number);
    let mut key = template.clone();
    key.id = text.id();
    key.hash = text.hash();
    key.name = format!("key number {number}");
    key.owner.team = format!("team-{}", number % 1_000).try_into().ok();
    key.limits.requests_per_minute = Some(1 + number % 100);
    key
}

/// Resident bytes of this process; zero where that cannot be read.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or_default();
    pages * 4_096
}

/// How long this thread has been running, so that other programs do not count; time that passes, where the system does
/// not keep that.
fn on_cpu() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn since(started: Duration) -> Duration {
    on_cpu().saturating_sub(started)
}

/// The nanoseconds of one call, in the best of five runs over all items.
fn each<T>(items: &[T], mut call: impl FnMut(&T)) -> u128 {
    let mut run = || {
        let started = on_cpu();
        items.iter().for_each(&mut call);
        since(started).as_nanos() / items.len() as u128
    };
    (0..5).map(|_| run()).min().unwrap_or_default()
}

#[test]
fn a_large_directory_finds_its_keys() {
    let is_measured = std::env::var_os("WEIR_FIGURES").is_some();
    let count: u64 = if is_measured { 1_000_000 } else { 5_000 };
    let json = r#"{"schema": 1, "id": "000000000000", "name": "a", "created": "2026-11-21T12:00:00Z",
        "hash": "sha256:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"}"#;
    let Document::Key(template) = Document::parse(Kind::Key, json).unwrap() else { unreachable!() };
    let mut writer = DirectoryWriter::new();
    let team = |number: u64| {
        let json = format!(r#"{{"schema": 1, "id": "team-{number}", "name": "a", "created": "2026-11-21T12:00:00Z"}}"#);
        Change::put(1 + number, Document::parse(Kind::Team, &json).unwrap())
    };
    writer.apply((0..1_000).map(team));

    let stored: Vec<String> =
        (0..count / 50).map(|number| Document::Key(key(number, &template)).to_json().unwrap()).collect();
    let parsing = each(&stored, |json| assert!(black_box(Document::parse(Kind::Key, json)).is_ok()));

    // What making the documents costs is taken off below.
    let started = on_cpu();
    (0..count).for_each(|number| drop(black_box(key(number, &template))));
    let making = since(started);
    let before = resident();
    let started = on_cpu();
    let change = |number| Change::put(2_000 + number, Document::Key(key(number, &template)));
    writer.load((0..count).map(change));
    writer.loaded();
    let loading = since(started).saturating_sub(making);
    let memory = resident().saturating_sub(before);
    let directory = writer.snapshot();
    assert_eq!(directory.len() as u64, count);

    let now = Timestamp::UNIX_EPOCH;
    let step = 7_919;
    let texts: Vec<KeyText> = (0..count / 5).map(|at| text(at * step % count)).collect();
    let look_up = each(&texts, |text| assert!(black_box(directory.look_up(text.expose(), now)).is_ok()));
    let few: Vec<&KeyText> = (0..texts.len()).filter_map(|at| texts.get(at % 1_000)).collect();
    let warm = each(&few, |text| assert!(black_box(directory.look_up(text.expose(), now)).is_ok()));
    let hashing = each(&texts, |text| _ = black_box(text.hash()));
    let hashes: Vec<_> = texts.iter().map(KeyText::hash).collect();
    let found = each(&hashes, |hash| assert!(black_box(directory.look_up_hash(hash, now)).is_ok()));
    let plain: HashMap<_, u64> =
        (0..count).filter(|_| is_measured).map(|number| (text(number).hash(), number)).collect();
    let in_plain = each(&hashes, |hash| assert_eq!(black_box(plain.get(hash)).is_some(), is_measured));
    drop(plain);
    let unknown = KeyText::generate().unwrap();
    assert!(directory.look_up(unknown.expose(), now).is_err());

    let mut snapshots = [writer.snapshot()];
    let numbers: Vec<u64> = (0..count / 250).collect();
    let mut version = 5_000_000;
    let changing = each(&numbers, |number| {
        version += 1;
        let mut changed = key(number * step % count, &template);
        changed.disabled = true;
        writer.apply([Change::put(version, Document::Key(changed))]);
        snapshots[0] = writer.snapshot();
    });
    assert!(snapshots[0].look_up(text(0).expose(), now).is_err() && directory.look_up(text(0).expose(), now).is_ok());
    if is_measured {
        println!(
            "{count} keys: {parsing} ns to parse one, loaded in {} ms, {} bytes a key",
            loading.as_millis(),
            memory / count
        );
        println!("look-up by text {look_up} ns, of a thousand keys again and again {warm} ns, by hash {found} ns");
        println!(
            "SHA-256 alone {hashing} ns; a hash in a plain map {in_plain} ns; one change with its snapshot {changing} ns"
        );
    }
}
