//! Whether the places and tests of a manifest can be compiled: pointers, values, bounds.

use super::{Problems, is_json};
use weir_types::contract::about::{FrameTest, Tap, UnitSource, UsagePlace};

pub(super) fn check_tap(tap: &Tap, place: &str, p: &mut Problems) {
    let texts = tap.finish.iter().chain(&tap.model).chain(&tap.service_tier).chain(&tap.wrapped);
    for text in texts.chain(tap.region.iter().map(|region| &region.pointer)) {
        pointer(text, place, p);
    }
    for value in tap.region.iter().flat_map(|region| &region.json) {
        json(value, place, p);
    }
    for usage in &tap.usage {
        check_usage(usage, place, p);
        let of_bucket = tap.usage.iter().filter(|other| other.bucket == usage.bucket).count();
        let is_whole = !usage.includes.contains(&usage.bucket) || of_bucket > 1;
        p.unless(is_whole, place, format_args!("{:?} includes itself, and has no other place", usage.bucket));
    }
    for units in &tap.units {
        match &units.source {
            UnitSource::Number(pointers) => {
                p.unless(!pointers.is_empty(), place, format_args!("{:?} has no pointer", units.unit));
                for text in pointers {
                    pointer(text, place, p);
                }
            }
            UnitSource::Matches(test) => {
                let is_value = matches!(test, FrameTest::Present(_) | FrameTest::Equals(_));
                p.unless(is_value, place, format_args!("{:?} counts neither present nor equal values", units.unit));
                frame_test(test, place, p);
            }
        }
    }
    for test in tap.content.iter().chain(&tap.end).chain(&tap.failure).chain(&tap.batch).chain(&tap.under_way) {
        frame_test(test, place, p);
    }
}

fn check_usage(usage: &UsagePlace, place: &str, p: &mut Problems) {
    p.unless(!usage.pointers.is_empty(), place, format_args!("{:?} has no pointer", usage.bucket));
    for text in &usage.pointers {
        pointer(text, place, p);
    }
    if let Some(beside) = &usage.beside {
        let is_member = beside.pointer.starts_with('/') && beside.pointer.matches('/').count() == 1;
        p.unless(is_member, place, format_args!("{:?} beside a figure is not one member", beside.pointer));
        json(&beside.json, place, p);
    }
}

pub(super) fn frame_test(test: &FrameTest, place: &str, p: &mut Problems) {
    if let Some(at) = test.pointer() {
        pointer(at, place, p);
    }
    match test {
        FrameTest::Equals(equals) => json(&equals.json, place, p),
        FrameTest::OtherThan(values) => {
            for value in &values.json {
                json(value, place, p);
            }
        }
        FrameTest::Above(limit) | FrameTest::Below(limit) => {
            p.unless(limit.bound.is_finite(), place, format_args!("{} is not a bound", limit.bound));
        }
        FrameTest::Event(_) | FrameTest::Data(_) | FrameTest::Present(_) | FrameTest::Fractional(_) => {}
    }
}

fn json(text: &str, place: &str, p: &mut Problems) {
    p.unless(is_json(text), place, format_args!("{text:?} is not JSON"));
}

/// RFC 6901: empty, or segments that begin with `/`, in which `~` is followed by 0 or 1.
pub(super) fn pointer(text: &str, place: &str, p: &mut Problems) {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    p.unless(
        (text.is_empty() || text.starts_with('/')) && escapes,
        place,
        format_args!("{text:?} is not a JSON pointer"),
    );
}
