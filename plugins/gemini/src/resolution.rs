//! The resolution at which an image is read: `mediaResolution` of a part, and `detail` of other formats.

use weir_sdk::json::{Object, parse};
use weir_sdk::types::{MediaKind, MediaPart};

use crate::wire::{self, is_noted, note};

/// The member of a part; also the key of the note on an image for which a client of this format gave a level.
pub(crate) const MEMBER: &str = "mediaResolution";
/// The levels in the order of their numbers. Source: the cloud's discovery document.
const LEVELS: [&str; 5] = [
    "MEDIA_RESOLUTION_UNSPECIFIED",
    "MEDIA_RESOLUTION_LOW",
    "MEDIA_RESOLUTION_MEDIUM",
    "MEDIA_RESOLUTION_HIGH",
    "MEDIA_RESOLUTION_ULTRA_HIGH",
];

/// Makes an image's level its detail, if other formats have the same one. Any other level stays a member of this format
/// alone.
pub(crate) fn read(part: &mut MediaPart) {
    if part.kind != MediaKind::Image {
        return;
    }
    let Some(own) = part.extensions.iter_mut().find(|own| own.key == MEMBER) else { return };
    if let Some(detail) = detail(&own.json) {
        *own = note(MEMBER);
        part.detail = Some(detail.to_owned());
    }
}

fn detail(json: &str) -> Option<&'static str> {
    let resolution = parse::<wire::Resolution<'_>>(json).ok()?;
    if !resolution.rest.0.is_empty() {
        return None;
    }
    match resolution.level?.name(&LEVELS) {
        "MEDIA_RESOLUTION_LOW" => Some("low"),
        "MEDIA_RESOLUTION_HIGH" => Some("high"),
        _ => None,
    }
}

/// The level of a detail. No other format says how large an image of `original` detail is read: the highest level is
/// the nearest.
pub(crate) fn level(detail: &str) -> Option<&'static str> {
    match detail {
        "low" => Some(LEVELS[1]),
        "high" => Some(LEVELS[3]),
        "original" => Some(LEVELS[4]),
        _ => None,
    }
}

/// Writes the level that a client of this format gave.
pub(crate) fn write_given(o: &mut Object<'_>, media: &MediaPart) {
    let given = media.detail.as_deref().filter(|_| is_noted(&media.extensions, MEMBER));
    if let Some(level) = given.and_then(level) {
        write(o, level);
    }
}

/// Writes a level.
pub(crate) fn write(o: &mut Object<'_>, level: &str) {
    o.object(MEMBER, |o| o.str("level", level));
}
