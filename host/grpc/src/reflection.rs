//! `grpc.reflection.v1`: what clients without the `.proto` files learn the schema from. It is served where it is
//! configured.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep};
use tonic::{Code, Status};

use crate::{answer, framing, inference};
use weir_gateway::attempt::{BodyError, ReplyBody};
use weir_transcoding::{MessageReader, PrefixError};

/// The service's names: its own, and the one that older clients know it by.
pub(crate) const NAMES: [&str; 2] = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
/// The most bytes of a question with its frame.
const MAX_QUESTION_BYTES: usize = 4_096;
/// Places for calls.
static PLACES: Semaphore = Semaphore::const_new(64);

/// A file of the schema.
struct File {
    bytes: &'static [u8],
    name: String,
    /// The full names of what it declares.
    symbols: Vec<String>,
}

static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files: [&'static [u8]; 3] = [
        include_bytes!(concat!(env!("OUT_DIR"), "/inference.bin")),
        include_bytes!(concat!(env!("OUT_DIR"), "/types.bin")),
        EMPTY,
    ];
    files.into_iter().filter_map(file).collect()
});

/// `google/protobuf/empty.proto`: its name, its package, its message, its syntax.
const EMPTY: &[u8] = b"\x0a\x1bgoogle/protobuf/empty.proto\x12\x0fgoogle.protobuf\x22\x07\x0a\x05Empty\x62\x06proto3";

fn file(bytes: &'static [u8]) -> Option<File> {
    let file = FileDescriptorProto::decode(bytes).ok()?;
    let package = file.package().to_owned();
    let full = |name: &str| format!("{package}.{name}");
    let mut symbols: Vec<String> = file.message_type.iter().map(|message| full(message.name())).collect();
    symbols.extend(file.enum_type.iter().map(|one| full(one.name())));
    for service in &file.service {
        let methods = service.method.iter().map(|method| full(&format!("{}.{}", service.name(), method.name())));
        symbols.extend(methods.chain([full(service.name())]));
    }
    Some(File { bytes, name: file.name().to_owned(), symbols })
}

/// A question.
#[derive(Clone, PartialEq, Message)]
struct ServerReflectionRequest {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(oneof = "Question", tags = "3, 4, 5, 6, 7")]
    question: Option<Question>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Question {
    #[prost(string, tag = "3")]
    FileByFilename(String),
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    #[prost(message, tag = "5")]
    FileContainingExtension(ExtensionRequest),
    #[prost(string, tag = "6")]
    AllExtensionNumbersOfType(String),
    #[prost(string, tag = "7")]
    ListServices(String),
}

#[derive(Clone, PartialEq, Message)]
struct ExtensionRequest {
    #[prost(string, tag = "1")]
    containing_type: String,
    #[prost(int32, tag = "2")]
    extension_number: i32,
}

/// An answer.
#[derive(Clone, PartialEq, Message)]
struct ServerReflectionResponse {
    #[prost(string, tag = "1")]
    valid_host: String,
    #[prost(message, optional, tag = "2")]
    original_request: Option<ServerReflectionRequest>,
    #[prost(oneof = "Reply", tags = "4, 6, 7")]
    reply: Option<Reply>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Reply {
    #[prost(message, tag = "4")]
    Files(FileDescriptorResponse),
    #[prost(message, tag = "6")]
    Services(ListServiceResponse),
    #[prost(message, tag = "7")]
    Error(ErrorResponse),
}

#[derive(Clone, PartialEq, Message)]
struct FileDescriptorResponse {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file_descriptor_proto: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ListServiceResponse {
    #[prost(message, repeated, tag = "1")]
    service: Vec<ServiceResponse>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceResponse {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorResponse {
    #[prost(int32, tag = "1")]
    error_code: i32,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Answers a call of this service: each question as it comes, as long as one comes within this time.
pub(crate) fn handle(method: &str, body: Incoming, within: Duration) -> Response<ReplyBody> {
    let refuse = |code, message: &str| answer::refused(&Status::new(code, message));
    if method != "ServerReflectionInfo" {
        return refuse(Code::Unimplemented, "this service has the method ServerReflectionInfo");
    }
    let Ok(place) = PLACES.try_acquire() else {
        return refuse(Code::ResourceExhausted, "too many callers ask for the schema already");
    };
    let silence = Box::pin(sleep(within));
    answer::response(Dialogue {
        questions: Some(body),
        reader: MessageReader::new(MAX_QUESTION_BYTES),
        within,
        silence,
        _place: place,
    })
}

/// The answers to the questions of one call.
struct Dialogue {
    /// None once the call is over.
    questions: Option<Incoming>,
    reader: MessageReader,
    /// How long a question may take to come. Reflection needs no key, so a call must not hold a connection for ever.
    within: Duration,
    silence: Pin<Box<Sleep>>,
    _place: SemaphorePermit<'static>,
}

impl Body for Dialogue {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let Some(questions) = &mut this.questions else { return Poll::Ready(None) };
            match this.reader.take() {
                Ok(Some(message)) => {
                    this.silence.as_mut().reset(Instant::now() + this.within);
                    let mut out = Vec::new();
                    match framing::decode::<ServerReflectionRequest>(&message) {
                        Ok(asked) => framing::put(&mut out, &reply_to(asked)),
                        Err(_) => return this.end(Code::InvalidArgument, "a message is not a question"),
                    }
                    return Poll::Ready(Some(Ok(Frame::data(out.into()))));
                }
                Ok(None) => {}
                Err(PrefixError::TooLarge(_)) => return this.end(Code::ResourceExhausted, "a question is too long"),
                Err(error) => return this.end(Code::InvalidArgument, &error.to_string()),
            }
            let Poll::Ready(frame) = Pin::new(questions).poll_frame(cx) else {
                ready!(this.silence.as_mut().poll(cx));
                return this.end(Code::DeadlineExceeded, "no question came in time");
            };
            match frame {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if this.reader.buffered() + data.len() > 16 * MAX_QUESTION_BYTES {
                        return this.end(Code::ResourceExhausted, "too many questions at once");
                    }
                    this.reader.push(&data);
                }
                None if this.reader.is_between() => return this.end(Code::Ok, ""),
                Some(Err(_)) | None => return this.end(Code::InvalidArgument, "a question broke off"),
            }
        }
    }
}

impl Dialogue {
    fn end(&mut self, code: Code, message: &str) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.questions = None;
        Poll::Ready(Some(Ok(Frame::trailers(answer::trailers(&Status::new(code, message))))))
    }
}

fn reply_to(asked: ServerReflectionRequest) -> ServerReflectionResponse {
    let found = |file: Option<&File>| match file {
        Some(file) => {
            Reply::Files(FileDescriptorResponse { file_descriptor_proto: vec![Bytes::from_static(file.bytes)] })
        }
        None => error(Code::NotFound, "it is not here"),
    };
    let reply = match &asked.question {
        Some(Question::FileByFilename(name)) => found(FILES.iter().find(|file| file.name == *name)),
        Some(Question::FileContainingSymbol(symbol)) => {
            found(FILES.iter().find(|file| file.symbols.iter().any(|known| known == symbol)))
        }
        Some(Question::ListServices(_)) => {
            let service = vec![ServiceResponse { name: inference::NAME.to_owned() }];
            Reply::Services(ListServiceResponse { service })
        }
        Some(Question::FileContainingExtension(_) | Question::AllExtensionNumbersOfType(_)) => {
            error(Code::NotFound, "there are no extensions")
        }
        None => error(Code::InvalidArgument, "the question is not known here"),
    };
    ServerReflectionResponse { valid_host: asked.host.clone(), original_request: Some(asked), reply: Some(reply) }
}

fn error(code: Code, message: &str) -> Reply {
    Reply::Error(ErrorResponse { error_code: code as i32, error_message: message.to_owned() })
}
