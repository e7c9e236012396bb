//! A registry in memory: it keeps what is pushed, lists by itself what refers to what, and asks for a login where that
//! is wanted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use weir_sandbox::digest::Digest;
use weir_tests::{Answer, Received, Upstream};

use super::IMAGE;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What the registry has, by digest, and manifests by tag too.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) blobs: HashMap<String, Vec<u8>>,
    pub(super) manifests: HashMap<String, Vec<u8>>,
}

/// The registry.
pub(super) struct MemoryRegistry {
    pub(super) server: Upstream,
    kept: Arc<Mutex<Kept>>,
}

impl MemoryRegistry {
    /// A registry that anybody may push to.
    pub(super) async fn open() -> Self {
        Self::guarded(|_| None).await
    }

    /// A registry whose guard answers in its place where it lets a request not pass.
    pub(super) async fn guarded(guard: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let registry = Arc::clone(&kept);
        let answer =
            move |request: &Received| guard(request).unwrap_or_else(|| registry.lock().unwrap().answer(request));
        Self { server: Upstream::scripted(answer).await, kept }
    }

    /// A reference to a repository in it.
    pub(super) fn at(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.server.origin().trim_start_matches("http://"))
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// The requests since the last call.
    pub(super) fn asked(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.server.unseen()).map(|request| request.line().to_owned()).collect()
    }
}

impl Kept {
    /// The manifest with a tag or a digest.
    pub(super) fn manifest(&self, target: &str) -> Value {
        serde_json::from_slice(&self.manifests[target]).unwrap()
    }

    /// What refers to a manifest, as descriptors.
    pub(super) fn referrers(&self, subject: &str) -> Vec<Value> {
        let mut found = Vec::new();
        for (name, bytes) in self.manifests.iter().filter(|(name, _)| name.starts_with("sha256:")) {
            let manifest: Value = serde_json::from_slice(bytes).unwrap();
            if manifest["subject"]["digest"] == subject {
                let kind = &manifest["artifactType"];
                found.push(json!({"mediaType": IMAGE, "digest": name, "size": bytes.len(), "artifactType": kind}));
            }
        }
        found
    }

    fn answer(&mut self, request: &Received) -> Answer {
        let (method, target) = request.line().split_once(' ').unwrap();
        let (_, path) = target.strip_prefix("/v2/").and_then(|rest| rest.split_once('/')).unwrap();
        let missing = || Answer::json(404, "{}");
        if let Some(digest) = path.strip_prefix("referrers/") {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.referrers(digest)});
            return Answer::whole(200, &[("content-type", INDEX)], index.to_string());
        }
        if let Some(target) = path.strip_prefix("manifests/") {
            if method == "PUT" {
                return self.put_manifest(target, &request.body);
            }
            let found = self.manifests.get(target);
            return found.map_or_else(missing, |bytes| Answer::whole(200, &[("content-type", IMAGE)], bytes));
        }
        match (method, path.strip_prefix("blobs/").unwrap()) {
            ("POST", "uploads/") => Answer::whole(202, &[("location", "/v2/zeta/blobs/uploads/7?state=abc")], ""),
            ("PUT", place) => self.put_blob(place, &request.body),
            ("HEAD", digest) if self.blobs.contains_key(digest) => Answer::whole(200, &[], ""),
            ("HEAD", _) => Answer::whole(404, &[], ""),
            (_, digest) => self.blobs.get(digest).map_or_else(missing, |bytes| Answer::whole(200, &[], bytes)),
        }
    }

    fn put_manifest(&mut self, target: &str, bytes: &[u8]) -> Answer {
        let digest = Digest::of(bytes).to_string();
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        assert!(!target.starts_with("sha256:") || target == digest, "{target} is {digest}");
        self.manifests.insert(target.to_owned(), bytes.to_vec());
        self.manifests.insert(digest, bytes.to_vec());
        match manifest["subject"]["digest"].as_str() {
            Some(subject) => Answer::whole(201, &[("oci-subject", subject)], ""),
            None => Answer::whole(201, &[], ""),
        }
    }

    fn put_blob(&mut self, place: &str, bytes: &[u8]) -> Answer {
        let digest = Digest::of(bytes).to_string();
        assert_eq!(place, format!("uploads/7?state=abc&digest={}", digest.replace(':', "%3A")));
        self.blobs.insert(digest, bytes.to_vec());
        Answer::whole(201, &[], "")
    }
}
