//! Manifests, and what of them must hold for an adapter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_sandbox::digest::Digest;

use super::error::RegistryError;

/// Media types of the OCI's manifests.
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media types of the Wasm artifact: its configuration, and its only layer.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM: &str = "application/wasm";
/// The configuration of an artifact that has none: `{}`.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The annotation with the file's name of a layer.
pub(crate) const TITLE: &str = "org.opencontainers.image.title";
/// The annotations with the adapter's version, and with the version of the contract that it is built for.
pub(crate) const VERSION: &str = "org.opencontainers.image.version";
pub(crate) const CONTRACT: &str = "dev.weir.contract";

/// A reference to bytes by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    pub(crate) fn titled(media_type: &str, bytes: &[u8], title: &str) -> Self {
        let annotations = [(TITLE.to_owned(), title.to_owned())].into();
        Self { annotations, ..Self::of(media_type, bytes) }
    }
}

/// An image manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(IMAGE.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Reads an adapter's manifest, and returns it with its only layer.
    pub(crate) fn of_adapter(bytes: &[u8], most: usize) -> Result<(Self, Descriptor), RegistryError> {
        let no = |reason: String| RegistryError::NoAdapter(reason);
        let media = serde_json::from_slice::<Typed>(bytes).ok().and_then(|typed| typed.media_type);
        if media.as_deref().is_some_and(|media| media != IMAGE) {
            return Err(no(format!("its manifest is of the type {}", media.unwrap_or_default())));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| no(format!("its manifest: {error}")))?;
        if manifest.config.media_type != WASM_CONFIG {
            return Err(no(format!("its configuration is of the type {}", manifest.config.media_type)));
        }
        let [layer] = &manifest.layers[..] else {
            return Err(no(format!("it has {} layers, and an adapter has one", manifest.layers.len())));
        };
        if layer.media_type != WASM {
            return Err(no(format!("its layer is of the type {}, and an adapter's of {WASM}", layer.media_type)));
        }
        if layer.size > most as u64 {
            return Err(RegistryError::TooLarge { what: "the component", size: layer.size, limit: most });
        }
        let layer = layer.clone();
        Ok((manifest, layer))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: Option<String>,
}

/// A list of manifests: what refers to another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    pub(crate) manifests: Vec<Descriptor>,
}

impl Default for Index {
    fn default() -> Self {
        Self { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut Manifest);

    fn text(manifest: &Manifest) -> Vec<u8> {
        serde_json::to_vec(manifest).unwrap()
    }

    fn adapter() -> Manifest {
        Manifest::new(Descriptor::of(WASM_CONFIG, b"{}"), vec![Descriptor::of(WASM, b"\0asm")])
    }

    #[test]
    fn an_adapter_has_one_layer_of_webassembly() {
        assert_eq!(Manifest::of_adapter(&text(&adapter()), 4).unwrap().1, Descriptor::of(WASM, b"\0asm"));
        let wrong: [(Change, &str); 5] = [
            (|it| it.layers.push(it.layers[0].clone()), "2 layers"),
            (|it| it.layers.clear(), "0 layers"),
            (|it| "application/wasm+gzip".clone_into(&mut it.layers[0].media_type), "wasm+gzip"),
            (|it| "application/json".clone_into(&mut it.config.media_type), "application/json"),
            (|it| it.media_type = Some(INDEX.to_owned()), "index"),
        ];
        for (change, reason) in wrong {
            let mut manifest = adapter();
            change(&mut manifest);
            let error = Manifest::of_adapter(&text(&manifest), 4).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let index = serde_json::to_vec(&Index::default()).unwrap();
        assert!(Manifest::of_adapter(&index, 4).unwrap_err().to_string().contains("image.index"));
    }

    #[test]
    fn a_large_layer_is_refused_by_its_announced_size() {
        let mut manifest = adapter();
        manifest.layers[0].size = 2 << 30;
        assert!(matches!(Manifest::of_adapter(&text(&manifest), 64 << 20), Err(RegistryError::TooLarge { .. })));
    }
}
