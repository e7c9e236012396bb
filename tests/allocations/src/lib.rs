//! The counts of an exchange, and their tables. A client and a provider are here that allocate nothing while they talk,
//! so that all allocations counted meanwhile are Weir's.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test: what does not hold fails it")]
#![allow(clippy::print_stdout, reason = "the counts are what `cargo xtask allocs` shows")]

pub mod exchange;
pub mod lanes;
pub mod table;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The size of a peer's buffer, in bytes: more than a whole message.
const BUFFER: usize = 64 << 10;
/// The end of a message's head.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// The last piece of a chunked body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Answers of a provider: the first whose word a request contains.
pub type Answers = &'static [(&'static str, String)];

/// Starts a provider and returns its address. It serves each connection on a thread.
pub fn provide(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream, answers));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answers: Answers) {
    let mut buffer = vec![0; BUFFER];
    while let Some(request) = read(&mut stream, &mut buffer) {
        let answer = answers.iter().find(|(word, _)| position(request, word.as_bytes()).is_some());
        if stream.write_all(answer.unwrap().1.as_bytes()).is_err() {
            return;
        }
    }
}

/// A client with one connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Opens the one connection on which all requests are sent.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; BUFFER] }
    }

    /// Sends a request and reads the whole answer.
    pub fn ask(&mut self, request: &str) -> &[u8] {
        self.stream.write_all(request.as_bytes()).unwrap();
        read(&mut self.stream, &mut self.buffer).unwrap()
    }
}

/// Reads one message; `None` if the connection ends before it.
fn read<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut length = 0;
    while !is_whole(&buffer[..length]) {
        length += stream.read(&mut buffer[length..]).ok().filter(|more| *more > 0)?;
    }
    Some(&buffer[..length])
}

fn is_whole(message: &[u8]) -> bool {
    let Some(head) = position(message, HEAD_END) else { return false };
    let (head, body) = message.split_at(head + HEAD_END.len());
    match content_length(head) {
        Some(length) => body.len() >= length,
        None => body.ends_with(LAST_CHUNK),
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let name = b"content-length: ";
    let at = head.windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))?;
    let digits = head[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}
