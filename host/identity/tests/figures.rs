//! Figures of a large directory. With `WEIR_FIGURES=1` it has a million keys and the figures are printed; else it is
//! smaller, and the test checks that the directory works. For figures that mean something:
//! `WEIR_FIGURES=1 cargo test -p weir-identity --config profile.dev.package.weir-identity.opt-level=3 --test figures --
//! --nocapture`.

use std::hint::black_box;
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

fn each(total: Duration, count: usize) -> u128 {
    total.as_nanos() / count as u128
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

    // What making the documents costs is taken off below.
    let started = Instant::now();
    (0..count).for_each(|number| drop(black_box(key(number, &template))));
    let making = started.elapsed();
    let before = resident();
    let started = Instant::now();
    let applied =
        writer.apply((0..count).map(|number| Change::put(2_000 + number, Document::Key(key(number, &template)))));
    let loading = started.elapsed().saturating_sub(making);
    assert_eq!(applied.taken as u64, count);
    let memory = resident().saturating_sub(before);
    let directory = writer.snapshot();
    assert_eq!(directory.len() as u64, count);

    let now = Timestamp::UNIX_EPOCH;
    let step = 7_919;
    let texts: Vec<KeyText> = (0..100_000u64).map(|at| text(at * step % count)).collect();
    let started = Instant::now();
    for text in &texts {
        assert!(black_box(directory.look_up(text.expose(), now)).is_ok());
    }
    let look_up = started.elapsed();
    let hashes: Vec<_> = texts.iter().map(KeyText::hash).collect();
    let started = Instant::now();
    for hash in &hashes {
        assert!(black_box(directory.look_up_hash(hash, now)).is_ok());
    }
    let without_hashing = started.elapsed();
    let unknown = KeyText::generate().unwrap();
    assert!(directory.look_up(unknown.expose(), now).is_err());

    let mut snapshots = Vec::new();
    let started = Instant::now();
    for number in 0..1_000 {
        let mut changed = key(number * step % count, &template);
        changed.disabled = true;
        writer.apply([Change::put(5_000_000 + number, Document::Key(changed))]);
        snapshots = vec![writer.snapshot()];
    }
    let change = started.elapsed();
    assert!(snapshots[0].look_up(text(0).expose(), now).is_err() && directory.look_up(text(0).expose(), now).is_ok());
    if is_measured {
        println!("{count} keys: loaded in {} ms, {} bytes a key", loading.as_millis(), memory / count);
        println!(
            "look-up {} ns, of which SHA-256 and check digits {} ns",
            each(look_up, texts.len()),
            each(look_up.saturating_sub(without_hashing), texts.len())
        );
        println!("one change with its snapshot {} µs", each(change, 1_000) / 1_000);
    }
}
