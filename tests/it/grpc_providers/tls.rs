//! A gRPC provider behind TLS: HTTP/2 is negotiated, and the certificate is checked.

use std::process::Command;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use weir_tests::{Client, Folder, Program, RpcServer, plugins, program};

use super::{CHAT, KEY, config, engine};
use crate::wire_format::OPENAI;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_behind_tls_is_called_over_http_2_if_its_certificate_is_trusted() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut tls = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let mut server = RpcServer::scripted_with_tls(tls, engine).await;
    let url = format!("https://localhost:{}/", server.port());
    for (trusted, status) in [(true, 200), (false, 502)] {
        let folder = Folder::with(&["openai", "anthropic", "sglang"]);
        let mut command = Command::new(program::file());
        if trusted {
            let authority = folder.path().join("authority.pem");
            std::fs::write(&authority, cert.pem()).unwrap();
            command.env("SSL_CERT_FILE", authority);
        }
        let program = Program::start_as(command, &folder, &plugins::target().join("test-cache"), &config(&url));
        let mut client = Client::connect(program.address()).await;
        client.send(&OPENAI.request("m", true)).await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), status, "{}", reply.text());
        if trusted {
            assert!(reply.text().contains("there") && reply.text().contains("[DONE]"), "{}", reply.text());
            let call = server.call().await;
            assert_eq!((call.path.as_str(), call.metadata("authorization")), (CHAT, Some(&*format!("Bearer {KEY}"))));
        }
    }
}
