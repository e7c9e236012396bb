//! Tests of shared token fetches and of lifetimes.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::super::{Base, Chunks, HandOver, Settings, Timeouts};
use super::*;

#[test]
fn tokens_are_replaced_shortly_before_their_end() {
    for (lifetime, seconds) in
        [(Some(3600), 3540), (Some(100), 80), (Some(1), 0), (Some(0), 0), (None, 240), (Some(u64::MAX), 86_340)]
    {
        assert_eq!(useful(lifetime), Duration::from_secs(seconds), "{lifetime:?}");
    }
}

#[test]
fn the_endpoints_failure_is_kept_in_the_error() {
    let origin = Arc::from("https://tokens.test");
    let error = of_endpoint(UpstreamError::new(UpstreamErrorKind::ConnectTimeout, &origin));
    assert_eq!(error.kind, UpstreamErrorKind::Token);
    assert!(error.to_string().ends_with("connect_timeout"), "{error}");
}

#[tokio::test]
async fn an_endpoint_without_tls_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/token", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let tokens = Tokens::new(Grant::client("id:s3cret", &[]).unwrap(), &url).unwrap();
    let failed = tokens.token(&Upstreams::new(&Settings::default()), Instant::now(), None).await;
    let error = failed.err().unwrap();
    assert_eq!(error.kind, UpstreamErrorKind::Token);
    assert!(error.to_string().contains(": tls: "), "{error}");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_proof_that_is_repeated_is_hidden() {
    for answer in ["{\"error\":\"s-e-c-r-e-t\"}", "{\"error\":\"invalid_client\"}"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"grant_type=client_credentials") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            let head = format!("HTTP/1.1 401 Unauthorized\r\ncontent-length: {}", answer.len());
            stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).await.unwrap();
        });
        let tokens = Tokens::new(Grant::client("id:s-e-c-r-e-t", &[]).unwrap(), &url).unwrap();
        let failed = tokens.token(&Upstreams::new(&Settings::default()), Instant::now(), None).await;
        let error = failed.err().unwrap();
        assert_eq!(error.kind, UpstreamErrorKind::TokenRefused);
        assert!(!error.to_string().contains("s-e-c-r-e-t"), "{error}");
        serving.await.unwrap();
    }
}

/// An endpoint that gives one of these answers to each connection, and then stops.
async fn endpoint(answers: Vec<&'static str>) -> (Tokens, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let expected = answers.len();
        for answer in answers {
            let mut stream = listener.accept().await.unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"grant_type=client_credentials") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            let head = "HTTP/1.1 200 OK\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        expected
    });
    (Tokens::new(Grant::client("id:s3cret", &[]).unwrap(), &url).unwrap(), serving)
}

#[tokio::test]
async fn waiting_requests_share_one_answer_good_or_bad() {
    for (answer, is_good) in [
        ("{\"access_token\":\"t\",\"expires_in\":3600}", true),
        ("{\"access_token\":\"t\",\"expires_in\":0}", true),
        ("{}", false),
    ] {
        let (tokens, serving) = endpoint(vec![answer]).await;
        let upstreams = Upstreams::new(&Settings::default());
        let asked = Instant::now();
        // A second request would find no listener, and fail.
        let all = join_all((0..8).map(|_| tokens.token(&upstreams, asked, None))).await;
        let given: Vec<_> = all.iter().flatten().collect();
        assert_eq!(given.len(), if is_good { 8 } else { 0 });
        assert!(given.windows(2).all(|pair| Arc::ptr_eq(pair[0], pair[1])));
        let kinds = all.iter().filter_map(|one| Some(one.as_ref().err()?.to_string()));
        assert!(kinds.into_iter().all(|error| error.contains("its answer holds no token")));
        assert_eq!(serving.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn no_connection_has_a_request_that_waits_for_its_token() {
    let provider = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::open(&format!("http://{}/v1/", provider.local_addr().unwrap()), &[], false).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let tokens = Tokens::new(Grant::client("id:s3cret", &[]).unwrap(), &url).unwrap();
    let shown = HandOver::default();
    let request = UpstreamRequest {
        method: Method::POST,
        address: base.join("things", []).unwrap(),
        headers: HeaderMap::new(),
        body: Chunks::empty(),
        timeouts: Timeouts::default(),
        credential: None,
        stream: false,
        model: "",
        grpc: None,
        hand_over: shown.begin(),
    };
    let sending = tokio::spawn(async move { tokens.send(&Upstreams::new(&Settings::default()), request).await });
    let mut endpoint = listener.accept().await.unwrap().0;
    endpoint.read_u8().await.unwrap();
    assert!(shown.is_waiting());
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"access_token\":\"t\"}";
    endpoint.write_all(answer.as_bytes()).await.unwrap();
    provider.accept().await.unwrap().0.read_u8().await.unwrap();
    assert!(!shown.is_waiting());
    sending.abort();
}

#[tokio::test]
async fn a_failure_is_not_kept_for_later_requests() {
    let (tokens, serving) = endpoint(vec!["{}", "{\"access_token\":\"t\"}"]).await;
    let upstreams = Upstreams::new(&Settings::default());
    assert!(tokens.token(&upstreams, Instant::now(), None).await.is_err());
    let token = tokens.token(&upstreams, Instant::now(), None).await.unwrap();
    assert_eq!(serving.await.unwrap(), 2);
    let kept = tokens.token(&upstreams, Instant::now(), None).await.unwrap();
    assert!(Arc::ptr_eq(&token, &kept));
}
