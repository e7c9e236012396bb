//! A proxy that makes tunnels (`CONNECT`), whatever host they are asked for, to one server.

use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A proxy that listens.
#[derive(Debug, Clone)]
pub struct TunnelProxy {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TunnelProxy {
    /// A proxy whose tunnels lead to this server (`HOST:PORT`). With a certificate, what comes out of them is TLS,
    /// which ends here.
    pub async fn to(server: &str, certificate: Option<&CertifiedKey<KeyPair>>) -> Self {
        Self::answering("HTTP/1.1 200 OK\r\n\r\n", server, certificate).await
    }

    /// A proxy that gives this answer to each request for a tunnel.
    pub async fn answering(answer: &'static str, server: &str, certificate: Option<&CertifiedKey<KeyPair>>) -> Self {
        let acceptor = certificate.map(acceptor);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (server, heads) = (server.to_owned(), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (acceptor, seen, server) = (acceptor.clone(), Arc::clone(&seen), server.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(client.read_u8().await?);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
                    client.write_all(answer.as_bytes()).await?;
                    let mut server = TcpStream::connect(&server).await?;
                    match acceptor {
                        None => copy_bidirectional(&mut client, &mut server).await,
                        Some(acceptor) => copy_bidirectional(&mut acceptor.accept(client).await?, &mut server).await,
                    }
                });
            }
        });
        Self { address, heads }
    }

    /// The heads of all requests for a tunnel so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Their first lines.
    pub fn lines(&self) -> Vec<String> {
        self.heads().iter().filter_map(|head| head.lines().next().map(str::to_owned)).collect()
    }
}

fn acceptor(certificate: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate.cert.der().clone()], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}
