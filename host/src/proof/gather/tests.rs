//! Where fixtures are found, and what is not read.

use std::fs;

use super::*;

const FIXTURE: &str = r#"{"request": {"method": "GET", "path_and_query": "/x"}, "response": {"status": 200}}"#;

#[expect(clippy::unnecessary_wraps, reason = "it is called as reading a file is")]
fn none() -> io::Result<Vec<u8>> {
    Ok(b"\0asm\x0d\0\x01\0".to_vec())
}

fn names(fixtures: &[Fixture]) -> Vec<&str> {
    fixtures.iter().map(|fixture| fixture.name.as_str()).collect()
}

/// One file as tar has it.
fn entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = b'0';
    header[257..262].copy_from_slice(b"ustar");
    header[148..156].fill(b' ');
    let sum: usize = header.iter().map(|byte| usize::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend(content);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

#[test]
fn the_folder_of_the_adapters_name_comes_first_then_its_own_then_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let wasm = dir.path().join("a.wasm");
    assert!(beside(&wasm, none, Bounds::GATE).unwrap().is_empty());
    let archive = [entry("./deep/tarred.json", FIXTURE.as_bytes()), entry("read.me", b"no"), vec![0; 1024]].concat();
    fs::write(dir.path().join("a.fixtures.tar"), archive).unwrap();
    assert_eq!(names(&beside(&wasm, none, Bounds::GATE).unwrap()), ["deep/tarred"]);
    fs::create_dir_all(dir.path().join("a/fixtures/deep")).unwrap();
    fs::write(dir.path().join("a/fixtures/deep/own.json"), FIXTURE).unwrap();
    assert_eq!(names(&beside(&wasm, none, Bounds::GATE).unwrap()), ["deep/own"]);
    fs::create_dir(dir.path().join("a.fixtures")).unwrap();
    fs::write(dir.path().join("a.fixtures/b.json"), FIXTURE).unwrap();
    fs::write(dir.path().join("a.fixtures/a.json"), FIXTURE).unwrap();
    assert_eq!(names(&beside(&wasm, none, Bounds::GATE).unwrap()), ["a", "b"]);
}

#[test]
fn a_component_may_bring_its_own() {
    let list = format!(r#"[{FIXTURE}, {{"id": "second", "client": {{"method": "GET", "path_and_query": "/"}}}}]"#);
    let mut component = none().unwrap();
    let mut section = vec![13];
    section.extend(b"weir:fixtures");
    section.extend(list.as_bytes());
    component.push(0);
    component.extend([(section.len() as u8 & 0x7f) | 0x80, (section.len() >> 7) as u8]);
    component.extend(section);
    let found = beside(Path::new("nowhere/x.wasm"), || Ok(component), Bounds::GATE).unwrap();
    assert_eq!(names(&found), ["embedded-0", "second"]);
}

#[test]
fn what_is_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.json", "c.json"] {
        fs::write(dir.path().join(name), FIXTURE).unwrap();
    }
    let refused = |bounds: Bounds| at(dir.path(), bounds).unwrap_err().to_string();
    assert!(refused(Bounds { fixtures: 2, ..Bounds::GATE }).ends_with("more than 2 fixtures"));
    assert!(refused(Bounds { bytes: 10, ..Bounds::GATE }).ends_with("more than 10 bytes"));
    assert!(refused(Bounds { total: 100, ..Bounds::GATE }).ends_with("more than 100 bytes in all fixtures"));
}

#[test]
fn what_is_no_fixture_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.json"), r#"{"request": {"method": 1}}"#).unwrap();
    let error = at(dir.path(), Bounds::GATE).unwrap_err().to_string();
    assert!(error.starts_with("fixture bad: "), "{error}");
    fs::write(dir.path().join("cut.tar"), &entry("a.json", FIXTURE.as_bytes())[..520]).unwrap();
    let error = at(&dir.path().join("cut.tar"), Bounds::GATE).unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
}
