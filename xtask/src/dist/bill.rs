//! The bill of materials, in the JSON of `CycloneDX`: the program and the adapters, the crates that each is linked of,
//! and the libraries that each holds as files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::crates::{Crate, Id};
use super::vendored::Library;

/// A file that is handed out, with the crates that it is linked of.
#[derive(Debug)]
pub(super) struct Part {
    /// Where it is in the folder: `weir`, `plugins/openai.wasm`.
    pub(super) file: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub(super) sum: String,
    /// The package that it is built of.
    pub(super) package: String,
    /// All crates that it is linked of, its package too.
    pub(super) linked: Vec<Crate>,
    /// The libraries that it holds as files.
    pub(super) holds: Vec<Library>,
}

/// The bill of a distribution. The same parts make the same bill, so it has no time.
pub(super) fn bill(version: &str, target: &str, parts: &[Part]) -> Value {
    let whole = format!("weir-{version}-{target}");
    let crates: BTreeMap<Id, &Crate> = parts.iter().flat_map(|part| &part.linked).map(|one| (one.id(), one)).collect();
    let files = parts.iter().map(|part| {
        json!({
            "type": "file",
            "bom-ref": format!("file:{}", part.file),
            "name": part.file,
            "hashes": [{"alg": "SHA-256", "content": part.sum}],
        })
    });
    let held: BTreeMap<String, &Library> =
        parts.iter().flat_map(|part| &part.holds).map(|one| (one.reference(), one)).collect();
    let libraries = crates.values().map(|one| component(one)).chain(held.values().map(|one| library(one)));
    let components: Vec<Value> = files.chain(libraries).collect();
    let mut uses = BTreeMap::from([(whole.clone(), refs(parts.iter().map(|part| format!("file:{}", part.file))))]);
    for part in parts {
        let package = part.linked.iter().find(|one| one.name == part.package);
        let held = part.holds.iter().map(Library::reference);
        uses.insert(format!("file:{}", part.file), refs(package.map(reference).into_iter().chain(held)));
    }
    uses.extend(held.keys().map(|reference| (reference.clone(), BTreeSet::new())));
    for one in crates.values() {
        // A crate may use others that are only run when it is built.
        let linked = one.uses.iter().filter_map(|id| crates.get(id)).map(|used| reference(used));
        uses.insert(reference(one), refs(linked));
    }
    let dependencies: Vec<Value> = uses.into_iter().map(|(from, to)| json!({"ref": from, "dependsOn": to})).collect();
    let mut bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": "weir",
                "version": version,
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
                "properties": [{"name": "weir:target", "value": target}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    bill["serialNumber"] = json!(serial(&bill));
    bill
}

fn refs(names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    names.into_iter().collect()
}

/// A crate's address as a package, by which lists of vulnerabilities name it.
fn reference(one: &Crate) -> String {
    format!("pkg:cargo/{}@{}", one.name, one.version.replace('+', "%2B"))
}

fn component(one: &Crate) -> Value {
    let purl = reference(one);
    let mut component =
        json!({"type": "library", "bom-ref": purl, "name": one.name, "version": one.version, "purl": purl});
    if let Some(licence) = &one.licence {
        component["licenses"] = json!([{"expression": licence}]);
    }
    if let Some(sum) = &one.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    if let Some(repository) = &one.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

fn library(one: &Library) -> Value {
    let purl = one.reference();
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": one.name,
        "version": one.version,
        "purl": purl,
        "licenses": [{"expression": one.licence}],
        "hashes": [{"alg": "SHA-256", "content": one.sum}],
        "externalReferences": [{"type": "vcs", "url": one.repository}],
    })
}

/// A number of the bill in the form of a UUID (version 8: of the digest of its content).
fn serial(bill: &Value) -> String {
    let hex = super::sums::hex(&Sha256::digest(bill.to_string()));
    let variant = u8::from_str_radix(&hex[16..17], 16).unwrap_or_default() & 3 | 8;
    format!("urn:uuid:{}-{}-8{}-{variant:x}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::crates::tests::known;
    use super::super::vendored::tests::ours;
    use super::*;

    fn parts() -> Vec<Part> {
        let known = known(Path::new("/a"), Path::new("/b"));
        let linked = known.of_tree("b v2.0.0\na v1.0.0\n").unwrap();
        vec![Part { file: "weir".into(), sum: "ab".repeat(32), package: "b".into(), linked, holds: ours() }]
    }

    #[test]
    fn each_reference_leads_to_a_component() {
        let bill = bill("1.2.3", "x86_64-unknown-linux-musl", &parts());
        let components = bill["components"].as_array().unwrap();
        let mut known: BTreeSet<&str> = components.iter().filter_map(|one| one["bom-ref"].as_str()).collect();
        known.extend(bill["metadata"]["component"]["bom-ref"].as_str());
        assert_eq!(known.len(), components.len() + 1, "no two are the same");
        let dependencies = bill["dependencies"].as_array().unwrap();
        for dependency in dependencies {
            assert!(known.contains(dependency["ref"].as_str().unwrap()));
            assert!(dependency["dependsOn"].as_array().unwrap().iter().all(|to| known.contains(to.as_str().unwrap())));
        }
        let of = |from: &str| dependencies.iter().find(|one| one["ref"] == from).unwrap()["dependsOn"].clone();
        let uplot = &ours()[0];
        assert_eq!(of("file:weir"), json!(["pkg:cargo/b@2.0.0", uplot.reference()]));
        let held = components.iter().find(|one| one["name"] == "uPlot").unwrap();
        assert_eq!(
            (&held["licenses"][0]["expression"], &held["hashes"][0]["content"]),
            (&json!("MIT"), &json!(uplot.sum))
        );
        assert_eq!(of("pkg:cargo/b@2.0.0"), json!(["pkg:cargo/a@1.0.0"]));
        let a = components.iter().find(|one| one["name"] == "a").unwrap();
        assert_eq!(a["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(a["hashes"][0]["content"], "00ff");
    }

    #[test]
    fn the_same_parts_have_the_same_number_and_others_another() {
        let number = |version: &str| bill(version, "t", &parts())["serialNumber"].as_str().unwrap().to_owned();
        assert_eq!(number("1"), number("1"));
        assert_ne!(number("1"), number("2"));
        let one = number("1");
        let groups: Vec<&str> = one.strip_prefix("urn:uuid:").unwrap().split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(groups[2].starts_with('8') && "89ab".contains(&groups[3][..1]), "{one}");
    }
}
