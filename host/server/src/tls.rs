//! TLS for clients: loads the certificate from its files, and reloads it when they change.

use std::io::{Error, ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use weir_config::{Place, TlsFiles};

/// Interval at which the files are checked for changes.
const INTERVAL: Duration = Duration::from_secs(1);
/// First byte of a TLS connection: the record type of the handshake.
const HANDSHAKE: u8 = 0x16;
/// How much of a plain HTTP request is read before that answer, in pieces of 4 KB: a client that sends and sends does
/// not hold the worker.
const MAX_UNREAD_READS: usize = 16;
/// The answer to a client that sends plain HTTP.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
    This port serves HTTPS: begin the address with https://\n";

/// Why no certificate can be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file cannot be read as PEM.
    #[error("server.tls.cert: {path}: {}", reason(source), path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: pem::Error,
    },
    /// The private key's file cannot be read as PEM.
    #[error("server.tls.key: {path}: {}", reason(source), path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("server.tls.cert: {path} holds no certificate (a PEM block `CERTIFICATE`)", path = .0.display())]
    NoCertificate(PathBuf),
    /// The certificate and the key do not match, or cannot be used.
    #[error("server.tls: the certificate {cert} with the key {key}: {source}", cert = cert.display(), key = key.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// The error of rustls.
        source: rustls::Error,
    },
}

/// What a parser says of a file, without its own words for the system's errors.
fn reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds no private key (a PEM block `PRIVATE KEY`)".to_owned(),
        error => error.to_string(),
    }
}

impl TlsError {
    /// Where the setting stands that names the wrong file.
    pub fn place<'a>(&self, files: &'a TlsFiles) -> &'a Place {
        match self {
            Self::Certificate { .. } | Self::NoCertificate(_) | Self::Unusable { .. } => &files.cert_place,
            Self::Key { .. } => &files.key_place,
        }
    }
}

/// A certificate and its key, for serving connections.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    /// Stamp of the files at the first load.
    read: Stamp,
    config: ArcSwap<ServerConfig>,
}

/// Modification time and size of certificate and key; another value means a change.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    ///
    /// Fails if the files cannot be read or do not match; the message names the file.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        // Taken before the files are read, so that a change in between is noticed.
        let stamp = stamp(files);
        let config = ArcSwap::new(read(files)?);
        Ok(Self { files: files.clone(), read: stamp, config })
    }

    /// Performs the TLS handshake. A client that sends plain HTTP gets an error that names the mistake.
    pub(super) async fn accept(&self, mut stream: TcpStream) -> IoResult<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE && first[0].is_ascii_alphabetic() {
            // Unread data would make the system reset the connection before the client sees the answer.
            let mut unread = [0; 4096];
            let mut reads = 0..MAX_UNREAD_READS;
            while reads.next().is_some() && stream.try_read(&mut unread).is_ok_and(|read| read > 0) {}
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            return Err(Error::new(ErrorKind::InvalidData, "the client uses no TLS"));
        }
        TlsAcceptor::from(self.config.load_full()).accept(stream).await
    }

    /// Reloads the certificate whenever its files change, until `stop` is set. While they cannot be used, the previous
    /// certificate stays in service.
    pub async fn follow(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut known = self.read;
        loop {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let files = self.files.clone();
            let changed = move || {
                let now = stamp(&files);
                (now != known).then(|| (now, read(&files)))
            };
            match tokio::task::spawn_blocking(changed).await {
                Ok(None) => {}
                Ok(Some((now, result))) => {
                    known = now;
                    self.take(result);
                }
                Err(error) => tracing::error!(%error, "the certificate could not be read"),
            }
        }
    }

    fn take(&self, result: Result<Arc<ServerConfig>, TlsError>) {
        match result {
            Ok(config) => {
                self.config.store(config);
                tracing::info!(cert = %self.files.cert.display(), "certificate taken");
            }
            Err(error) => tracing::error!(%error, "certificate refused; the previous one stays in use"),
        }
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let [cert, key] = files.paths();
    let wrong = |source| TlsError::Certificate { path: cert.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(cert).map_err(wrong)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
    let unusable = |source| TlsError::Unusable { cert: cert.to_owned(), key: key.to_owned(), source };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, private).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn stamp(files: &TlsFiles) -> Stamp {
    let one = |path: &Path| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files.paths().map(one)
}
