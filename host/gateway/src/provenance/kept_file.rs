//! What was read of a file of requests, as a store keeps it: work is begun on it by another process than the one that
//! it passed through.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Issuer, NamedModel, RequestFile};

/// What a search for files finds.
pub type FileSearch = Pin<Box<dyn Future<Output = Vec<KeptFile>> + Send>>;

/// Keeps what was read of files of requests.
pub trait FileStore: fmt::Debug + Send + Sync {
    /// A file was uploaded. It is kept as well as that is possible, some time later: no call waits for it.
    fn keep(&self, file: KeptFile);

    /// Finds files with these ids, of all clients; none if the store cannot be asked. Those that are expected to be
    /// there may be on their way from another node, and are waited for a little.
    fn find(&self, ids: Vec<String>, are_expected: bool) -> FileSearch;
}

/// A file of requests that was read while it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// The tenant that uploaded it.
    pub tenant: String,
    /// The provider's id for it.
    pub id: String,
    /// When it was uploaded, in milliseconds since 1970.
    pub made_ms: u64,
    /// The rest.
    pub terms: FileTerms,
}

/// Where a file is, and what its requests name and ask for. There is nothing else of them in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTerms {
    /// The provider that has it, the id of its target, and the number of the provider's key.
    provider: String,
    issuer: String,
    key: usize,
    /// Whether it was read for the rights of a client that is restricted.
    is_bound: bool,
    models: Vec<NamedModel>,
}

impl KeptFile {
    /// A file of this client with this id; `None` if it is not known what its requests name, so that no work is begun
    /// on it.
    pub(super) fn of(client: &str, id: &[u8], file: &RequestFile, issuer: &Issuer) -> Option<Self> {
        if file.mistake().is_some() {
            return None;
        }
        let terms = FileTerms {
            provider: issuer.provider.to_string(),
            issuer: issuer.target.to_string(),
            key: issuer.key,
            is_bound: file.is_bound(),
            models: file.models().to_vec(),
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let made_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Some(Self { tenant: client.to_owned(), id: String::from_utf8(id.to_vec()).ok()?, made_ms, terms })
    }
}

impl FileTerms {
    /// Who has it.
    pub(crate) fn issuer(&self) -> Issuer {
        Issuer { target: Arc::from(&*self.issuer), provider: Arc::from(&*self.provider), key: self.key }
    }

    /// What its requests name and ask for.
    pub(crate) fn into_file(self) -> RequestFile {
        RequestFile::read_before(self.is_bound, self.models)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::{Asks, FileMistake};

    #[test]
    fn what_was_read_comes_back_and_what_could_not_be_is_not_kept() {
        let mut file = RequestFile::new(true);
        file.add(&["a".to_owned()], 3, Asks { requests: 1, input: 5, output: 7, unlimited: 2 });
        let issuer = Issuer { target: "p/m".into(), provider: "p".into(), key: 1 };
        let kept = KeptFile::of("one", b"file-1", &file, &issuer).unwrap();
        let terms = serde_json::to_string(&kept.terms).unwrap();
        let terms: FileTerms = serde_json::from_str(&terms).unwrap();
        assert_eq!((&kept.terms, terms.issuer()), (&terms, issuer.clone()));
        let read = terms.into_file();
        assert!(read.is_bound() && read.mistake().is_none());
        assert_eq!(read.models(), file.models());
        file.fail(FileMistake::Empty);
        assert_eq!(KeptFile::of("one", b"file-1", &file, &issuer), None);
    }
}
