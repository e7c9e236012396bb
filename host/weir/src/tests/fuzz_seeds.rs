//! Replays the seeds of the fuzz targets on stable Rust.

#[path = "../../../../fuzz/src/oracle.rs"]
#[allow(unreachable_pub, reason = "the file is a public module of the fuzz crate")]
mod oracle;

use std::path::Path;
use weir_types::contract::types::Framing;

fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn seeds_of_the_framings_hold() {
    replay("frame_sse", |data| oracle::frames(Framing::Sse, data));
    replay("frame_ndjson", |data| oracle::frames(Framing::Ndjson, data));
    replay("frame_json_array", |data| oracle::frames(Framing::JsonArray, data));
    replay("frame_event_stream", |data| oracle::frames(Framing::EventStream, data));
    replay("frame_event_stream", oracle::message);
}

#[test]
fn seeds_of_peek_hold() {
    replay("peek", oracle::peek);
}

#[test]
fn seeds_of_the_tap_hold() {
    replay("tap", oracle::tap);
}

#[test]
fn seeds_of_configurations_hold() {
    replay("config", oracle::config);
}

#[test]
fn seeds_of_forms_hold() {
    replay("form", oracle::form);
}

#[test]
fn seeds_of_opaque_words_hold() {
    replay("opaque", oracle::words);
}

#[test]
fn seeds_of_reset_times_hold() {
    replay("reset_time", oracle::reset_times);
}
