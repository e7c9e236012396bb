//! Clockwork: an adapter that reports what its host lets it use.
//!
//! `POST /clockwork/ask` takes `{"model", "do", "dir", "path"}` and always answers with an error, whose message is the
//! outcome of `do`: `clock`, `random`, `folders`, `world` (arguments and environment), `socket`, `sleep` (for as many
//! milliseconds as `path` says), `spin`, and with a folder `dir` and a `path` in it: `read`, `write`, `overwrite`,
//! `make`, `link`, `rename`, `remove`.

mod files;
mod manifest;
pub mod wasi;

use serde_json::Value;
use weir_sdk::adapter::{DialectChat, Encoder, ParsedChat, Result};
use weir_sdk::types::{
    Body, ChatEvent, ChatResponse, Context, Encoded, Error, ErrorKind, HttpRequest, RenderedResponse,
};

use wasi::wasi::cli::environment;
use wasi::wasi::clocks::{monotonic_clock, wall_clock};
use wasi::wasi::filesystem::preopens;
use wasi::wasi::random::{insecure_seed, random};
use wasi::wasi::sockets::network::IpAddressFamily;
use wasi::wasi::sockets::tcp_create_socket;

/// The format.
const FORMAT: &str = "clockwork.ask";

/// The adapter.
#[derive(Debug)]
pub struct Clockwork;

weir_sdk::export!(Clockwork: about, dialect_chat);

impl DialectChat for Clockwork {
    type Encoder = Mute;

    fn parse_request(_: &Context, request: HttpRequest) -> Result<ParsedChat> {
        let asked: Value = match &request.body {
            Body::Text(text) => serde_json::from_str(text),
            Body::Bytes(bytes) => serde_json::from_slice(bytes),
        }
        .unwrap_or_default();
        let text = |name: &str| asked[name].as_str().unwrap_or_default();
        let came = answer(text("do"), text("dir"), text("path"));
        Err(Error::new(ErrorKind::InvalidRequest, came))
    }

    fn render_response(_: &Context, _: ChatResponse) -> Result<RenderedResponse> {
        Ok(RenderedResponse::json("{}".to_owned()))
    }
}

fn answer(wanted: &str, dir: &str, path: &str) -> String {
    match wanted {
        "clock" => {
            let wall = wall_clock::now();
            format!("wall {} monotonic {}", wall.seconds, monotonic_clock::now())
        }
        "random" => format!("{:?} {:?}", random::get_random_bytes(8), insecure_seed::insecure_seed()),
        "folders" => {
            let folders: Vec<String> = preopens::get_directories().into_iter().map(|(_, name)| name).collect();
            format!("folders {folders:?}")
        }
        "world" => {
            let (arguments, variables) = (environment::get_arguments().len(), environment::get_environment().len());
            format!("{arguments} arguments, {variables} variables")
        }
        "socket" => match tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4) {
            Ok(_) => "a socket".to_owned(),
            Err(error) => error.name().to_owned(),
        },
        "sleep" => {
            let span: u64 = path.parse().unwrap_or_default();
            monotonic_clock::subscribe_duration(span.saturating_mul(1_000_000)).block();
            "slept".to_owned()
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        wanted => files::answer(wanted, dir, path),
    }
}

/// An encoder that writes nothing.
#[derive(Debug)]
pub struct Mute;

impl Encoder for Mute {
    fn new(_: Context) -> Self {
        Self
    }

    fn push(&mut self, _: Vec<ChatEvent>) -> Result<Encoded> {
        Ok(Encoded::default())
    }

    fn finish(&mut self) -> Result<Encoded> {
        Ok(Encoded::default())
    }
}
