//! The service `weir.v1.Inference`, whose messages hold those of the contract. Fields and messages are only added, at
//! the end: their numbers are their positions.

use super::{Field, Item, Label, Method, Numbers, Schema, Shape, Text, Type};

/// The service's name within its package.
pub(crate) const NAME: &str = "Inference";
/// What it is.
pub(crate) const DOCS: &str = "Calls models.";

/// Its methods.
pub(crate) const METHODS: [Method; 5] = [
    Method {
        name: "Generate",
        docs: "Asks for an answer. With `chat.stream` it comes as events, else as one response; a summary is the last message.",
        messages: ["generate-request", "generate-event"],
        streams: true,
    },
    Method { name: "Embed", docs: "Asks for vectors.", messages: ["embed-request", "embed-response"], streams: false },
    Method {
        name: "Rerank",
        docs: "Asks for documents in the order in which they answer a query.",
        messages: ["rerank-request", "rerank-response"],
        streams: false,
    },
    Method {
        name: "CountTokens",
        docs: "Asks how many tokens a request has.",
        messages: ["count-tokens-request", "count-tokens-response"],
        streams: false,
    },
    Method {
        name: "ListModels",
        docs: "Asks for the models that may be used.",
        messages: ["list-models-request", "list-models-response"],
        streams: false,
    },
];

/// Its messages, and their numbers.
pub(crate) fn schema() -> (Schema, Numbers) {
    let chat = || one("chat", "", "chat-request");
    let summary = || local("summary", "What is known of the answer.", "summary");
    let items = vec![
        message("generate-request", "A request for an answer.", vec![chat()]),
        Item {
            name: "generate-event".into(),
            docs: "A message of an answer.".into(),
            shape: Shape::Variant(vec![
                one("event", "What happens in a streamed answer.", "chat-event"),
                one("response", "A whole answer.", "chat-response"),
                local("summary", "The end. An answer without it broke off.", "summary"),
            ]),
        },
        message("embed-request", "A request for vectors.", vec![one("embeddings", "", "embeddings-request")]),
        message("embed-response", "Vectors.", vec![one("embeddings", "", "embeddings-response"), summary()]),
        message("rerank-request", "A request for an order of documents.", vec![one("rerank", "", "rerank-request")]),
        message("rerank-response", "An order of documents.", vec![one("rerank", "", "rerank-response"), summary()]),
        message("count-tokens-request", "A request for a count of tokens.", vec![chat()]),
        message(
            "count-tokens-response",
            "A count of tokens.",
            vec![
                one("count", "", "token-count"),
                plain(
                    "is-estimate",
                    "Whether the gateway estimated the count, since the provider counts no tokens.",
                    Type::Bool,
                ),
                summary(),
            ],
        ),
        message("list-models-request", "A request for the list of models.", Vec::new()),
        message("list-models-response", "The list of models.", vec![many("models", "", "model-info")]),
        message(
            "summary",
            "What is known of an answer at its end.",
            vec![
                one("usage", "The tokens, as far as the provider reported them.", "usage"),
                Field {
                    label: Label::Optional,
                    ..plain(
                        "cost-usd",
                        "What the answer costs in US dollars, with the attempts before it, if all prices are known.",
                        Type::String,
                    )
                },
                many("losses", "The fields that got lost on the way to the provider and back.", "loss"),
                plain("target", "The target that answered, as `provider/model`.", Type::String),
                plain("attempts", "The number of requests to providers.", Type::Unsigned(32)),
                plain("request-id", "The request's id, which the gateway's log has too.", Type::String),
            ],
        ),
    ];
    let schema = Schema { items };
    let numbers = Numbers::default().with(&schema);
    (schema, numbers)
}

fn message(name: &str, docs: &str, fields: Vec<Field>) -> Item {
    Item { name: name.into(), docs: docs.into(), shape: Shape::Record(fields) }
}

fn plain(name: &str, docs: &str, ty: Type) -> Field {
    Field { name: name.into(), docs: docs.into(), ty, label: Label::Required, text: Text::Any }
}

/// A message of the contract.
fn one(name: &str, docs: &str, of: &str) -> Field {
    plain(name, docs, Type::Foreign(of.into()))
}

fn many(name: &str, docs: &str, of: &str) -> Field {
    Field { label: Label::Repeated, ..one(name, docs, of) }
}

/// A message of the service.
fn local(name: &str, docs: &str, of: &str) -> Field {
    plain(name, docs, Type::Message(of.into()))
}
