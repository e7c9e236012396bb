//! What a component may do wrong in any function. The guard `sentry` has this file too.
#![allow(unsafe_code, reason = "a guest that hands over text that is none has to make it first")]
#![allow(clippy::panic, reason = "a trap is what is asked for")]

/// Performs a deed; returns text for the result.
pub(crate) fn act(deed: &str) -> String {
    match deed {
        "loop" => spin(),
        "bomb" => hoard(),
        "trap" => panic!("asked to"),
        "deep" => dive(1).to_string(),
        "flood" => "a".repeat(100 << 20),
        "text" => no_text(),
        _ => "well".to_owned(),
    }
}

fn spin() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn hoard() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

fn dive(n: u64) -> u64 {
    let page = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { dive(std::hint::black_box(n + 1)) + page[3] }
}

/// Bytes that are not UTF-8, as a string.
fn no_text() -> String {
    // SAFETY: unsound on purpose: the sandbox must survive it, and nothing here reads the text.
    unsafe { String::from_utf8_unchecked(vec![b'{', 0xff, 0xfe, 0xc0, b'}']) }
}
