//! Answers of providers in forms that HTTP and its content codings allow and that few providers use.

use std::fmt::Write as _;

use weir_tests::{Answer, Client, Folder, Gateway, Program, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, TOKENS, WireFormat, config_of};

const BOTH: [WireFormat; 2] = [OPENAI, ANTHROPIC];

/// Chunks of this length, each with an extension, and trailers behind them.
fn chunks(body: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in body.chunks(length) {
        out.extend(format!("{:X};name=\"a;b\";flag\r\n", piece.len()).bytes());
        out.extend([piece, b"\r\n"].concat());
    }
    out.extend(b"000\r\nx-checksum: 1\r\nserver-timing: a;dur=1\r\n\r\n");
    out
}

/// A body in these forms, under each of these heads.
fn forms(kind: &str, body: &[u8]) -> Vec<(&'static str, Answer)> {
    let raw = |head: &str, body: &[u8]| Answer::raw([head.as_bytes(), b"\r\n", body].concat());
    let length = format!("content-length: {}\r\n", body.len());
    let kind = format!("content-type: {kind}\r\n");
    let usual = format!("HTTP/1.1 200 OK\r\n{kind}");
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let mut many = String::new();
    for n in 0..80 {
        let _ = write!(many, "X-Header-{n}: {n}\r\n");
    }
    let long = format!("x-long: {}\r\n", "x".repeat(40_000));
    let chunked = "transfer-encoding: chunked\r\n";
    vec![
        ("answers before the answer", raw(&format!("{early}{usual}{length}"), body)),
        ("extensions and trailers", raw(&format!("{usual}{chunked}"), &chunks(body, 3))),
        ("HTTP/1.0, up to its close", raw(&format!("HTTP/1.0 200 OK\r\n{kind}"), body).close()),
        ("HTTP/1.0 with a length", raw(&format!("HTTP/1.0 200 OK\r\n{kind}{length}"), body).close()),
        ("up to its close", raw(&format!("{usual}connection: close\r\n"), body).close()),
        ("no reason", raw(&format!("HTTP/1.1 200\r\n{kind}{length}"), body)),
        ("the length twice", raw(&format!("{usual}{length}{length}"), body)),
        ("many headers", raw(&format!("{usual}{many}{length}"), body)),
        ("a long header", raw(&format!("{usual}{long}{length}"), body)),
        ("a coding that is none", raw(&format!("{usual}Content-Encoding: identity\r\n{length}"), body)),
        ("odd spaces and letters", raw(&format!("{}{length}", usual.to_ascii_uppercase().replace(": ", ":\t ")), body)),
        (
            "bytes that are no ASCII",
            Answer::raw([usual.as_bytes(), b"x-a: \xe9\xff\r\n", length.as_bytes(), b"\r\n", body].concat()),
        ),
        (
            "a mark of the byte order",
            raw(&format!("{usual}{chunked}"), &chunks(&["\u{feff}".as_bytes(), body].concat(), 2)),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_read_in_every_form_that_http_has() {
    for to in BOTH {
        let upstream = Upstream::always(Answer::silence()).await;
        let gateway = Gateway::open(&config_of(&BOTH, &upstream)).await;
        let booked = format!("weir_tokens_total{{bucket=\"output\",provider=\"{}\"}}", to.name);
        let mut tokens = 0.0;
        for (kind, body, stream) in [
            ("application/json", to.whole(), false),
            ("text/event-stream", to.stream().concat(), true),
            ("Text/Event-Stream;Charset=\"utf-8\"", to.stream().concat(), true),
        ] {
            for (form, answer) in forms(kind, body.as_bytes()) {
                upstream.now(answer);
                let mut asked = vec![(to, to.name.to_owned())];
                asked.extend(BOTH.map(|from| (from, to.translated())));
                for (from, model) in asked {
                    let Reply { head, body, cut } = gateway.ask(&from.request(&model, stream)).await;
                    // A relayed answer keeps its bytes.
                    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&body).to_vec();
                    let reply = Reply { head, body, cut };
                    let place = format!("{form}, {} to {model}, stream {stream}: {}", from.name, reply.text());
                    assert_eq!((reply.status(), reply.cut), (200, false), "{place}");
                    let parsed = from.parsed(&reply, stream);
                    assert_eq!((parsed.text.as_str(), parsed.complete || !stream), (TEXT, true), "{place}");
                    assert_eq!(parsed.tokens, Some(TOKENS), "{place}");
                    tokens += 7.0;
                    gateway.until_metric(&booked, tokens).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_answer_is_read_in_every_form_that_its_coding_has() {
    use std::io::Write as _;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let raw_deflate = |bytes: &[u8]| {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    for to in BOTH {
        let upstream = Upstream::always(Answer::silence()).await;
        let gateway = Gateway::open(&config_of(&BOTH, &upstream)).await;
        let booked = format!("weir_tokens_total{{bucket=\"output\",provider=\"{}\"}}", to.name);
        let mut tokens = 0.0;
        for (kind, body, stream) in
            [("application/json", to.whole(), false), ("text/event-stream", to.stream().concat(), true)]
        {
            // The cut is within a character.
            let at = body.find("世").unwrap() + 1;
            let (first, second) = body.as_bytes().split_at(at);
            let skipped = [&b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..], &zstd(first), &zstd(second)].concat();
            for (coding, packed) in [
                ("X-GZip", [gzip(first), gzip(b""), gzip(second)].concat()),
                ("zstd", skipped),
                ("deflate", raw_deflate(body.as_bytes())),
            ] {
                for length in [1, 7, packed.len()] {
                    let head = [("content-type", kind), ("content-encoding", coding)];
                    upstream.now(Answer::begin(200, &head).pieces(&packed, length).end());
                    for from in BOTH {
                        let reply = gateway.ask(&from.request(&to.translated(), stream)).await;
                        let place = format!("{coding} by {length}, {} to {}: {}", from.name, to.name, reply.text());
                        let parsed = from.parsed(&reply, stream);
                        assert_eq!((parsed.text.as_str(), parsed.tokens), (TEXT, Some(TOKENS)), "{place}");
                    }
                    let relayed = gateway.ask(&to.request(to.name, stream)).await;
                    assert_eq!(relayed.body, packed, "{coding} by {length}");
                    tokens += 21.0;
                    gateway.until_metric(&booked, tokens).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_keep_what_their_heads_say_of_one() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 512\r\netag: \"a\"\r\n\r\n";
    for (method, answer, status, length) in [
        ("HEAD", head.to_owned(), 200, Some("512")),
        ("GET", head.replace("200 OK", "304 Not Modified"), 304, None),
        ("DELETE", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), 204, None),
    ] {
        let mut upstream = Upstream::always(Answer::raw(answer)).await;
        let config = config_of(&[OPENAI], &upstream).replace("timeouts = ", "passthrough = [\"* *\"]\ntimeouts = ");
        let gateway = Gateway::open(&config).await;
        let mut client = gateway.connect().await;
        for _ in 0..2 {
            client.send(&Request::new(method, "/passthrough/openai/things/1")).await;
            let head = client.head().await;
            assert_eq!(head.status, status, "{method}");
            if let Some(length) = length {
                assert_eq!(head.header("content-length"), Some(length), "{method}");
            }
            assert_eq!(upstream.request().await.line(), format!("{method} /base/things/1"));
        }
        // The connection is in order: the next request has its own answer.
        client.send(&Request::get("/health")).await;
        assert_eq!(client.reply().await.status(), 200, "behind {method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_in_pieces_of_one_byte_takes_about_as_much_memory_as_it_has_bytes() {
    const BYTES: usize = 200 << 10;
    let text = OPENAI.whole().replacen(TEXT, &"x".repeat(BYTES), 1);
    let mut pieces =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    text.bytes().for_each(|byte| pieces.extend([b"1\r\n", &[byte][..], b"\r\n"].concat()));
    pieces.extend(b"0\r\n\r\n");
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    // The head of an answer with a price waits for what it costs.
    let config = config_of(&[OPENAI], &upstream).replace("\ntarget", "\nprice = { input = 1, output = 1 }\ntarget");
    let folder = Folder::with(&["openai"]);
    let program = Program::start(&folder, &weir_tests::plugins::target().join("test-cache"), &config);
    let address = program.address();
    let request = OPENAI.request("openai", false).header("host", "localhost");
    let ask = async || {
        let mut client = Client::connect(address).await;
        client.send(&request).await;
        client.reply().await
    };
    assert_eq!(ask().await.status(), 200);
    let before = program.peak_memory();
    upstream.now(Answer::raw(pieces));
    let reply = ask().await;
    assert_eq!((reply.status(), &*reply.text()), (200, &*text));
    assert!(reply.header("x-weir-cost-usd").is_some(), "it was read before its head went out");
    let taken = program.peak_memory().saturating_sub(before);
    assert!(taken < 20 * BYTES, "holding {BYTES} bytes took {taken}");
}
