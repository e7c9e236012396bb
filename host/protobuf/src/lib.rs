//! The contract's types as a protobuf schema. A record is a message, a variant a message with one `oneof`, an enum an
//! enum whose value 0 is unspecified, an `option` an optional field.
//!
//! Every field and enum value has a number in `numbers.txt`, which is never given to another one: clients that were
//! built for an older schema keep understanding the newer one.
//!
//! | module | does |
//! |---|---|
//! | `read` | reads the types that requests and answers consist of from `wit/` |
//! | `names` | spells the contract's names as protobuf and Rust do |
//! | [`numbers`] | the table of numbers |
//! | `service` | the service and its messages |
//! | [`proto`] | writes the `.proto` files |
//! | [`descriptor`] | writes what clients learn the schema from at run time |
//! | [`messages`] | writes the messages in Rust |
//! | [`conversions`] | writes the conversions between these messages and the contract's types in Rust |

pub mod conversions;
pub mod descriptor;
pub mod messages;
mod names;
pub mod numbers;
pub mod proto;
mod read;
mod service;

use std::path::Path;

pub use numbers::{Numbers, NumbersError};

/// Why there is no schema.
#[derive(Debug)]
pub enum SchemaError {
    /// The contract cannot be read.
    Contract(String),
    /// The contract has a type that has no counterpart in protobuf.
    Type(String),
}

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contract(why) => write!(f, "the contract cannot be read: {why}"),
            Self::Type(what) => write!(f, "protobuf has nothing for {what}"),
        }
    }
}

impl std::error::Error for SchemaError {}

/// The types that requests and answers consist of, in the contract's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Messages and enums.
    pub items: Vec<Item>,
}

/// A message or an enum. All names are the contract's: `chat-request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The type's name.
    pub name: String,
    /// What the contract says about it.
    pub docs: String,
    /// What it consists of.
    pub shape: Shape,
}

/// What an item consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A message with these fields.
    Record(Vec<Field>),
    /// A message that holds one of these.
    Variant(Vec<Field>),
    /// One of these values.
    Enum(Vec<Value>),
    /// A message around a list that is a case of a variant, since no case of a `oneof` is repeated.
    List(Type),
}

/// A field of a record, or a case of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// In the spelling of the file: `snake_case` for fields, capitals for values.
    pub name: String,
    /// What the contract says about it.
    pub docs: String,
    /// Its type.
    pub ty: Type,
    /// How often it occurs.
    pub label: Label,
    /// What a text must be besides text.
    pub text: Text,
}

/// A value of an enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// In the spelling of the file: `snake_case` for fields, capitals for values.
    pub name: String,
    /// What the contract says about it.
    pub docs: String,
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Once.
    Required,
    /// Once or not at all.
    Optional,
    /// Any number of times.
    Repeated,
}

/// What a text must be besides text, as the contract's comments say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Nothing else.
    Any,
    /// One complete JSON value.
    Json,
    /// An integer in decimal digits.
    Decimal,
}

/// A field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A truth value.
    Bool,
    /// An unsigned integer of 8, 16 or 32 bits.
    Unsigned(u8),
    /// A number.
    Double,
    /// A text.
    String,
    /// Nothing: a case without a value.
    Empty,
    /// A message of the schema, by its name.
    Message(String),
    /// A message of the contract in the schema of the service, by its name.
    Foreign(String),
    /// An enum of the schema, by its name.
    Enum(String),
}

/// The package of the contract's messages.
const TYPES: &str = "weir.types.v1";

/// A `.proto` file.
#[derive(Debug, Clone)]
pub struct File {
    /// Relative to the folder of all `.proto` files.
    pub path: &'static str,
    /// With its version, as `weir.v1`.
    pub package: &'static str,
    /// The files that it imports.
    pub imports: &'static [&'static str],
    /// Its first comment.
    pub head: &'static str,
    /// Its messages and enums.
    pub schema: Schema,
    /// Their numbers.
    pub numbers: Numbers,
    /// The methods of its service; empty if it has none.
    pub methods: &'static [Method],
}

/// A method of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// In capitals and small letters, as `CountTokens`.
    pub name: &'static str,
    /// What it does.
    pub docs: &'static str,
    /// Its request and its answer.
    pub messages: [&'static str; 2],
    /// Whether the answer is a stream.
    pub streams: bool,
}

impl File {
    /// The messages of the contract.
    pub fn types(schema: Schema, numbers: Numbers) -> Self {
        Self {
            path: "weir/types/v1/types.proto",
            package: TYPES,
            imports: &["google/protobuf/empty.proto"],
            head: "The unified model of the contract in wit/. Texts that are said to be JSON hold one complete JSON value.",
            schema,
            numbers,
            methods: &[],
        }
    }

    /// The file of the service `weir.v1.Inference`, its requests and its answers.
    pub fn service() -> Self {
        let (schema, numbers) = service::schema();
        Self {
            path: "weir/v1/inference.proto",
            package: "weir.v1",
            imports: &["weir/types/v1/types.proto"],
            head: "The service by which clients use every model of a gateway, in the unified model of weir/types/v1/types.proto.\n\n\
                   Keys stand in the metadata `authorization` (`Bearer KEY`) or `x-api-key`. Errors have a `google.rpc.Status` \
                   with an\n`ErrorInfo` and, if it is known when to try again, a `RetryInfo`.",
            schema,
            numbers,
            methods: &service::METHODS,
        }
    }
}

impl Schema {
    /// Reads the schema from the folder of the contract.
    ///
    /// # Errors
    ///
    /// The folder holds no contract, or the contract has types that have no counterpart in protobuf.
    pub fn read(wit: &Path) -> Result<Self, SchemaError> {
        read::schema(wit)
    }
}
