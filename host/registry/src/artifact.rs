//! An adapter in a registry, with what refers to it: its signatures, its fixtures, and the report that it reproduces
//! them.

use bytes::Bytes;
use serde_json::json;
use weir_sandbox::digest::Digest;

use super::client::{Registry, fallback_tag};
use super::error::RegistryError;
use super::manifest::{CONTRACT, Descriptor, EMPTY, IMAGE, INDEX, Manifest, TITLE, VERSION, WASM, WASM_CONFIG};
use super::reference::Reference;

/// The types of what refers to an adapter.
const SIGNATURE: &str = "application/vnd.weir.signature.v1";
const FIXTURES: &str = "application/vnd.weir.fixtures.v1+json";
/// A statement of in-toto; its layer has the same type.
const STATEMENT: &str = "application/vnd.in-toto+json";
/// The media types of the other layers.
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
/// The largest component, all signatures together, one fixture, one statement and all fixtures, in bytes; the most
/// fixtures, and the most manifests that may refer to one adapter.
const MAX_COMPONENT: usize = 64 << 20;
const MAX_SIGNATURES: usize = 4 << 10;
const MAX_FIXTURE: usize = 1 << 20;
const MAX_STATEMENT: usize = 1 << 20;
const MAX_FIXTURES: usize = 16 << 20;
const MAX_FILES: usize = 512;
const MAX_REFERRERS: usize = 64;

/// What is pushed.
#[derive(Debug)]
pub struct Package {
    /// The bytes of the `.wasm` file.
    pub component: Bytes,
    /// The adapter's name.
    pub name: String,
    /// The adapter's own version, as its manifest has it.
    pub version: String,
    /// The version of the contract that it is built for.
    pub contract: String,
    /// The names of its exports and of its imports.
    pub exports: Vec<String>,
    /// The names of its imports.
    pub imports: Vec<String>,
    /// The text of its signature file.
    pub signature: Option<String>,
    /// The files of its fixtures: names from their folder, and texts.
    pub fixtures: Vec<(String, String)>,
    /// The statement that it reproduces them, as JSON.
    pub proof: Option<String>,
}

/// An adapter that a registry has, before its parts are fetched.
#[derive(Debug)]
pub struct Adapter {
    /// The digest of its manifest, which stands for all of it.
    pub manifest: Digest,
    /// The name of its file without `.wasm`, if its maker gave one.
    pub name: Option<String>,
    /// The version of the contract that it is built for, if its maker states it.
    pub contract: Option<String>,
    component: Descriptor,
}

impl Adapter {
    /// The digest of the component.
    pub fn component(&self) -> Digest {
        self.component.digest
    }
}

impl Registry {
    /// Finds what a reference means now.
    pub async fn find(&self, reference: &Reference) -> Result<Adapter, RegistryError> {
        let (bytes, digest) = self.manifest(&reference.target()).await?;
        let (manifest, component) = Manifest::of_adapter(&bytes, MAX_COMPONENT)?;
        let title = component.annotations.get(TITLE).and_then(|title| title.strip_suffix(".wasm"));
        Ok(Adapter {
            manifest: digest,
            name: title.filter(|name| is_plain(name)).map(str::to_owned),
            contract: manifest.annotations.get(CONTRACT).cloned(),
            component,
        })
    }

    /// Fetches the component.
    pub async fn component(&self, adapter: &Adapter) -> Result<Bytes, RegistryError> {
        self.blob("the component", &adapter.component, MAX_COMPONENT).await
    }

    /// Fetches the signatures that refer to an adapter, as the text of a signature file; `None` if there are none.
    pub async fn signatures(&self, adapter: &Adapter) -> Result<Option<String>, RegistryError> {
        let mut text = String::new();
        for manifest in self.referring(adapter, SIGNATURE).await? {
            for layer in &manifest.layers {
                let left = MAX_SIGNATURES.saturating_sub(text.len());
                let bytes = self.blob("the signatures", layer, left).await?;
                text.push_str(&String::from_utf8_lossy(&bytes));
                text.push('\n');
            }
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// Fetches the fixtures that refer to an adapter: names of files and their texts.
    pub async fn fixtures(&self, adapter: &Adapter) -> Result<Vec<(String, String)>, RegistryError> {
        let mut files = Vec::new();
        let mut left = MAX_FIXTURES;
        for layer in self.referring(adapter, FIXTURES).await?.iter().flat_map(|manifest| &manifest.layers) {
            let bytes = self.blob("a fixture", layer, left.min(MAX_FIXTURE)).await?;
            left -= bytes.len();
            let name = layer.annotations.get(TITLE).filter(|name| name.split('/').all(is_plain));
            let name = name.ok_or_else(|| RegistryError::NoAdapter("a fixture has no name".to_owned()))?;
            let text = String::from_utf8(bytes.to_vec())
                .map_err(|_| RegistryError::NoAdapter(format!("the fixture {name} is not text")))?;
            files.push((name.clone(), text));
            if files.len() > MAX_FILES {
                return Err(RegistryError::NoAdapter(format!("it has more than {MAX_FILES} fixtures")));
            }
        }
        Ok(files)
    }

    /// Fetches the newest statement that refers to an adapter; `None` if there is none. Anyone who may push can have
    /// made it.
    pub async fn proof(&self, adapter: &Adapter) -> Result<Option<String>, RegistryError> {
        let referring = self.referring(adapter, STATEMENT).await?;
        let Some(layer) = referring.last().and_then(|manifest| manifest.layers.first()) else { return Ok(None) };
        let bytes = self.blob("the statement", layer, MAX_STATEMENT).await?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The manifests of one type that refer to an adapter.
    async fn referring(&self, adapter: &Adapter, kind: &str) -> Result<Vec<Manifest>, RegistryError> {
        let index = self.referrers(adapter.manifest).await?;
        let mut found = Vec::new();
        for entry in index.manifests.iter().take(MAX_REFERRERS) {
            // The list may have a type that the manifest does not have: the manifest decides.
            if entry.artifact_type.as_deref().is_some_and(|own| own != kind) {
                continue;
            }
            let (bytes, _) = self.manifest(&entry.digest.to_string()).await?;
            let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { continue };
            let is_about_it = manifest.subject.as_ref().is_some_and(|subject| subject.digest == adapter.manifest);
            if manifest.artifact_type.as_deref() == Some(kind) && is_about_it {
                found.push(manifest);
            }
        }
        Ok(found)
    }

    /// Pushes an adapter with its signature and its fixtures; returns the digest of its manifest.
    pub async fn push(&self, reference: &Reference, package: &Package) -> Result<Digest, RegistryError> {
        let layer = Descriptor::titled(WASM, &package.component, &format!("{}.wasm", package.name));
        let config = json!({
            // Of no use, but required; a time of the push would give each push another digest.
            "created": "1970-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.digest],
            "component": {"exports": package.exports, "imports": package.imports},
        });
        let config = Bytes::from(config.to_string());
        let mut manifest = Manifest::new(Descriptor::of(WASM_CONFIG, &config), vec![layer]);
        manifest.annotations.insert(VERSION.to_owned(), package.version.clone());
        manifest.annotations.insert(CONTRACT.to_owned(), package.contract.clone());
        self.put_blob(config).await?;
        self.put_blob(package.component.clone()).await?;
        let bytes = encoded(&manifest)?;
        let subject = Descriptor::of(IMAGE, &bytes);
        // What refers to it comes first: under its tag, the adapter is complete from the start.
        self.put_manifest(&subject.digest.to_string(), IMAGE, bytes.clone()).await?;
        if let Some(signature) = &package.signature {
            let files = [(format!("{}.wasm.sig", package.name), signature.clone())];
            self.refer(&subject, SIGNATURE, TEXT, &files).await?;
        }
        if !package.fixtures.is_empty() {
            self.refer(&subject, FIXTURES, JSON, &package.fixtures).await?;
        }
        if let Some(proof) = &package.proof {
            let files = [(format!("{}.proof.json", package.name), proof.clone())];
            self.refer(&subject, STATEMENT, STATEMENT, &files).await?;
        }
        self.put_manifest(&reference.target(), IMAGE, bytes).await?;
        Ok(subject.digest)
    }

    /// Pushes files that refer to a manifest.
    async fn refer(
        &self,
        subject: &Descriptor,
        kind: &str,
        media: &str,
        files: &[(String, String)],
    ) -> Result<(), RegistryError> {
        let empty = Bytes::from_static(b"{}");
        self.put_blob(empty.clone()).await?;
        let mut layers = Vec::with_capacity(files.len());
        for (name, text) in files {
            layers.push(Descriptor::titled(media, text.as_bytes(), name));
            self.put_blob(Bytes::from(text.clone())).await?;
        }
        let mut manifest = Manifest::new(Descriptor::of(EMPTY, &empty), layers);
        manifest.artifact_type = Some(kind.to_owned());
        manifest.subject = Some(subject.clone());
        let bytes = encoded(&manifest)?;
        let own = Descriptor { artifact_type: Some(kind.to_owned()), ..Descriptor::of(IMAGE, &bytes) };
        if self.put_manifest(&own.digest.to_string(), IMAGE, bytes).await? {
            return Ok(());
        }
        // This registry keeps no list of its own: a tag stands for it.
        let mut index = self.referrers(subject.digest).await?;
        if !index.manifests.iter().any(|entry| entry.digest == own.digest) {
            index.manifests.push(own);
            let index = serde_json::to_vec(&index).map_err(|error| unwritable(&error))?;
            self.put_manifest(&fallback_tag(subject.digest), INDEX, index.into()).await?;
        }
        Ok(())
    }
}

fn encoded(manifest: &Manifest) -> Result<Bytes, RegistryError> {
    serde_json::to_vec(manifest).map(Bytes::from).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> RegistryError {
    RegistryError::NoAdapter(error.to_string())
}

/// Whether a name can be that of a file in a folder, and of nothing else.
fn is_plain(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(is_inner)
}
