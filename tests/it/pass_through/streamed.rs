//! Bodies of any size pass in both directions as they come, and take no memory.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weir_tests::{Answer, Client, Folder, Gate, Gateway, Program, Request, Upstream, soon};

use super::{client, provider};

/// The size of a large upload in bytes, and of a large answer.
const UPLOAD: usize = 500 << 20;
const LARGE: usize = 160 << 20;
/// The most memory that passing it may take.
const MAX_MEMORY: usize = 32 << 20;
const PIECE: usize = 256 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_arrives_piece_by_piece() {
    let gate = Gate::default();
    let answer = Answer::begin(200, &[("content-type", "audio/mpeg")]).piece("first").gate(&gate).piece("last").end();
    let upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    let mut client = gateway.connect().await;
    client.send(&Request::get("/passthrough/p/sound")).await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.until("first").await, b"first");
    gate.open();
    assert_eq!(client.rest().await, (b"last".to_vec(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_cut_and_a_client_that_leaves_ends_the_upload() {
    let upstream = Upstream::always(Answer::begin(200, &[("content-type", "audio/mpeg")]).piece("first").close()).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    let reply = gateway.get("/passthrough/p/sound").await;
    assert!(reply.cut && reply.body == b"first");
    let (listener, gateway) = raw("").await;
    let mut client = gateway.connect().await;
    client.write(&head(LARGE)).await;
    let (mut stream, _) = soon("a connection", listener.accept()).await.unwrap();
    until_head(&mut stream).await;
    client.leave();
    let mut rest = Vec::new();
    let _reset = soon("the gateway to leave", stream.read_to_end(&mut rest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_goes_on_while_it_arrives_and_one_without_a_length_too() {
    let (listener, gateway) = raw("").await;
    for is_chunked in [false, true] {
        let mut client = gateway.connect().await;
        let framing = if is_chunked { "transfer-encoding: chunked" } else { "content-length: 10" };
        let begun = format!("POST /passthrough/p/files HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n");
        client.write(begun.as_bytes()).await;
        client.write(if is_chunked { b"5\r\nhello\r\n" } else { b"hello" }).await;
        let (mut stream, _) = soon("a connection", listener.accept()).await.unwrap();
        let mut seen = until_head(&mut stream).await;
        while !seen.windows(5).any(|window| window == b"hello") {
            let mut more = [0; 1024];
            let read = soon("the first half", stream.read(&mut more)).await.unwrap();
            seen.extend_from_slice(&more[..read]);
        }
        client.write(if is_chunked { b"5\r\nworld\r\n0\r\n\r\n" } else { b"world" }).await;
        while !seen.windows(5).any(|window| window == b"world") {
            let mut more = [0; 1024];
            let read = soon("the second half", stream.read(&mut more)).await.unwrap();
            seen.extend_from_slice(&more[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await.unwrap();
        assert_eq!(client.reply().await.text(), "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused_whether_its_length_is_known_or_not() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let config = provider(&upstream, "[\"* *\"]") + "[server]\nmax_upload_bytes = \"1KiB\"\n";
    let gateway = Gateway::open(&config).await;
    let large = Request::new("POST", "/passthrough/p/files").body(vec![b'x'; 2000]);
    let reply = gateway.ask(&large).await;
    assert_eq!(reply.status(), 413, "{}", reply.text());
    assert!(reply.text().contains("server.max_upload_bytes"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    let chunked = [b"7d0\r\n".to_vec(), vec![b'x'; 2000], b"\r\n0\r\n\r\n".to_vec()].concat();
    let chunked = Request::new("POST", "/passthrough/p/files").header("transfer-encoding", "chunked").body(chunked);
    assert_eq!(gateway.ask(&chunked).await.status(), 413);
    assert_eq!(gateway.ask(&Request::new("POST", "/passthrough/p/files").body(vec![b'x'; 1024])).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_within_its_body_gets_a_timeout_of_its_own() {
    let (listener, gateway) = raw("[server]\nbody_timeout = \"200ms\"\n").await;
    let mut client = gateway.connect().await;
    client.write(b"POST /passthrough/p/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nhello").await;
    let (_stream, _) = soon("a connection", listener.accept()).await.unwrap();
    assert_eq!(client.head().await.status, 408);
}

/// A gateway before a provider that the test plays itself.
async fn raw(more: &str) -> (Arc<TcpListener>, Gateway) {
    let (listener, config) = played(more).await;
    (listener, Gateway::open(&config).await)
}

async fn played(more: &str) -> (Arc<TcpListener>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base/", listener.local_addr().unwrap());
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{url}\"\napi_key = \"KEY\"\npassthrough = [\"* *\"]\n{more}"
    );
    (Arc::new(listener), config)
}

fn head(length: usize) -> Vec<u8> {
    format!("POST /passthrough/p/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

/// Reads a head; returns what followed it.
async fn until_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            return seen.split_off(end + 4);
        }
        let mut more = [0; 4096];
        let read = soon("a head", stream.read(&mut more)).await.unwrap();
        assert!(read > 0, "the gateway sends a whole head");
        seen.extend_from_slice(&more[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_take_no_memory() {
    let (listener, config) = played("").await;
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &weir_tests::plugins::target().join("test-cache"), &config);
    let address = program.address();
    let before = program.peak_memory();
    let provider = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut left = UPLOAD - until_head(&mut stream).await.len();
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "the upload is whole");
            left -= read;
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..LARGE / PIECE {
            stream.write_all(&piece).await.unwrap();
        }
        stream
    });
    let mut client = Client::connect(address).await;
    let fields = "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n--b\r\n\
                  content-disposition: form-data; name=\"file\"; filename=\"x.bin\"\r\n\r\n";
    let form = String::from_utf8(head(UPLOAD)).unwrap();
    let form = form.replace("\r\n\r\n", "\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n");
    client.write(form.as_bytes()).await;
    client.write(fields.as_bytes()).await;
    let (piece, end) = (vec![b'x'; PIECE], "\r\n--b--\r\n");
    let mut left = UPLOAD - fields.len() - end.len();
    while left > 0 {
        let next = &piece[..left.min(PIECE)];
        client.write(next).await;
        left -= next.len();
    }
    client.write(end.as_bytes()).await;
    assert_eq!(client.head().await.status, 200);
    let mut left = LARGE;
    while let Some(piece) = client.piece().await.unwrap() {
        left -= piece.len();
    }
    assert_eq!(left, 0);
    provider.await.unwrap();
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < MAX_MEMORY, "passing {UPLOAD} bytes and {LARGE} back took {taken} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_in_pieces_of_one_byte_takes_about_as_much_memory_as_it_has_bytes() {
    const BYTES: usize = 1 << 20;
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    // Where rights depend on the model, a form is held until that has come.
    let bound = client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]");
    let config = provider(&upstream, "[\"* *\"]") + &bound;
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &weir_tests::plugins::target().join("test-cache"), &config);
    let address = program.address();
    let ask = async |bytes: usize| {
        let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let model = "\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt\r\n--b--\r\n";
        let mut client = Client::connect(address).await;
        let head = "POST /passthrough/p/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\n\
                    authorization: Bearer weir-bound-0123456789abcdef\r\n\
                    content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n";
        client.write(format!("{head}{:x}\r\n{file}\r\n", file.len()).as_bytes()).await;
        let thousand = b"1\r\nx\r\n".repeat(1024);
        for _ in 0..bytes / 1024 {
            client.write(&thousand).await;
        }
        client.write(format!("{:x}\r\n{model}\r\n0\r\n\r\n", model.len()).as_bytes()).await;
        assert_eq!(client.head().await.status, 200);
    };
    ask(1024).await;
    let before = program.peak_memory();
    ask(BYTES).await;
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < 12 * BYTES, "holding {BYTES} bytes took {taken}");
}
