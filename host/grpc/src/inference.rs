//! The calls of `weir.v1.Inference`.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, Response};
use tonic::Status;

use crate::check::Invalid;
use crate::messages::{
    CountTokensRequest, CountTokensResponse, EmbedRequest, EmbedResponse, GenerateRequest, ListModelsRequest,
    ListModelsResponse, RerankRequest, RerankResponse,
};
use crate::{answer, framing, status, timeout};
use weir_gateway::attempt::ReplyBody;
use weir_gateway::gateway::{CallAnswer, Protocol, UnifiedEndpoints};
use weir_translate::unified::{Answer, Request};
use weir_types::contract::about::{CredentialPlace, Operation};
use weir_types::contract::types::{Header, ModelsRequest};
use weir_types::fault::Fault;

/// The service's name.
pub(crate) const NAME: &str = "weir.v1.Inference";
/// What metrics and logs call the format of these calls.
const FORMAT: &str = "grpc";

static ENDPOINTS: LazyLock<UnifiedEndpoints> = LazyLock::new(|| {
    let place =
        |name: &str, value: &str| CredentialPlace::Header(Header { name: name.to_owned(), value: value.to_owned() });
    let path = |operation: &Operation| {
        let method = Method::ALL.iter().find(|method| method.operation() == *operation);
        format!("/{NAME}/{}", method.map_or("", |method| method.name()))
    };
    let credentials = [place("authorization", "Bearer "), place("x-api-key", "")];
    UnifiedEndpoints::new(FORMAT, path, &credentials, "the method ListModels")
});

/// A method of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Generate,
    Embed,
    Rerank,
    CountTokens,
    ListModels,
}

impl Method {
    const ALL: [Self; 5] = [Self::Generate, Self::Embed, Self::Rerank, Self::CountTokens, Self::ListModels];

    /// The method with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Generate => "Generate",
            Self::Embed => "Embed",
            Self::Rerank => "Rerank",
            Self::CountTokens => "CountTokens",
            Self::ListModels => "ListModels",
        }
    }
}

impl Protocol for Method {
    fn endpoints(&self) -> &UnifiedEndpoints {
        &ENDPOINTS
    }

    fn operation(&self) -> Operation {
        match self {
            Self::Generate => Operation::Chat,
            Self::Embed => Operation::Embeddings,
            Self::Rerank => Operation::Rerank,
            Self::CountTokens => Operation::CountTokens,
            Self::ListModels => Operation::Models,
        }
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        timeout::check(headers)
    }

    fn read(&self, body: &[Bytes]) -> Result<Request, Fault> {
        Ok(match self {
            Self::Generate => Request::Chat(within("chat", framing::read::<GenerateRequest>(body)?.chat)?),
            Self::CountTokens => Request::CountTokens(within("chat", framing::read::<CountTokensRequest>(body)?.chat)?),
            Self::Embed => Request::Embeddings(within("embeddings", framing::read::<EmbedRequest>(body)?.embeddings)?),
            Self::Rerank => Request::Rerank(within("rerank", framing::read::<RerankRequest>(body)?.rerank)?),
            Self::ListModels => {
                framing::read::<ListModelsRequest>(body)?;
                Request::Models(ModelsRequest { id: None, cursor: None, limit: None })
            }
        })
    }

    fn answer(&self, answer: CallAnswer) -> Response<ReplyBody> {
        if *self == Self::Generate {
            return answer::generated(answer);
        }
        let CallAnswer { trace, mut body, is_estimate } = answer;
        let taken = body.take_to_send();
        let closing = body.closing();
        let summary = Some(answer::summary(&trace, &closing));
        let end = answer::ended(Status::ok(""), &closing);
        match taken {
            Some(Answer::Embeddings(embeddings)) => {
                answer::unary(body, &EmbedResponse { embeddings: Some(embeddings.into()), summary }, &end)
            }
            Some(Answer::Rerank(rerank)) => {
                answer::unary(body, &RerankResponse { rerank: Some(rerank.into()), summary }, &end)
            }
            Some(Answer::CountTokens(count)) => {
                answer::unary(body, &CountTokensResponse { count: Some(count.into()), is_estimate, summary }, &end)
            }
            Some(Answer::Models(list)) => {
                let models = list.models.into_iter().map(Into::into).collect();
                answer::unary(body, &ListModelsResponse { models }, &end)
            }
            Some(Answer::Chat(_)) | None => {
                self.refuse(&Fault::internal("the answer is of another kind"), &trace.request_id)
            }
        }
    }

    fn refuse(&self, fault: &Fault, request_id: &str) -> Response<ReplyBody> {
        answer::refused(&status::of(fault, request_id))
    }
}

/// The message within a request, checked.
fn within<A, B: TryFrom<A, Error = Invalid>>(field: &str, message: Option<A>) -> Result<B, Fault> {
    let read = message.ok_or_else(Invalid::missing).and_then(B::try_from);
    read.map_err(|invalid| invalid.within(field)).map_err(|invalid| {
        let fault = Fault::invalid(invalid.to_string());
        fault.at(invalid.place)
    })
}
