//! Reads the types that requests and answers consist of from the contract.

use std::collections::BTreeSet;
use std::path::Path;

use wit_parser::{Interface, Resolve, Type as WitType, TypeDefKind, TypeId};

use super::{Field, Item, Label, Schema, SchemaError, Shape, Text, Type, Value};

/// The interface that declares the types.
const INTERFACE: &str = "types";
/// What requests and answers are made of.
const ROOTS: [&str; 11] = [
    "chat-request",
    "chat-response",
    "chat-event",
    "embeddings-request",
    "embeddings-response",
    "rerank-request",
    "rerank-response",
    "token-count",
    "model-info",
    "loss",
    "usage",
];

pub(crate) fn schema(wit: &Path) -> Result<Schema, SchemaError> {
    let mut resolve = Resolve::default();
    let wrong = |why: String| SchemaError::Contract(why);
    let (package, _) = resolve.push_dir(wit).map_err(|error| wrong(format!("{error:#}")))?;
    let id = resolve.packages[package].interfaces.get(INTERFACE);
    let id = id.ok_or_else(|| wrong(format!("it has no interface `{INTERFACE}`")))?;
    Reader { interface: &resolve.interfaces[*id], resolve: &resolve }.schema()
}

struct Reader<'a> {
    resolve: &'a Resolve,
    interface: &'a Interface,
}

impl Reader<'_> {
    fn schema(&self) -> Result<Schema, SchemaError> {
        let mut used = BTreeSet::new();
        for root in ROOTS {
            let id = self.interface.types.get(root);
            let id = id.ok_or_else(|| SchemaError::Contract(format!("it has no type `{root}`")))?;
            self.reach(&WitType::Id(*id), &mut used);
        }
        let mut items = Vec::new();
        for (name, id) in self.interface.types.iter().filter(|(name, _)| used.contains(*name)) {
            self.item(name, *id, &mut items)?;
        }
        Ok(Schema { items })
    }

    /// Notes the names of all types that a type consists of.
    fn reach(&self, ty: &WitType, used: &mut BTreeSet<String>) {
        let WitType::Id(id) = ty else { return };
        let def = &self.resolve.types[*id];
        if let Some(name) = &def.name
            && !used.insert(name.clone())
        {
            return;
        }
        match &def.kind {
            TypeDefKind::Record(record) => record.fields.iter().for_each(|field| self.reach(&field.ty, used)),
            TypeDefKind::Variant(variant) => {
                variant.cases.iter().filter_map(|case| case.ty).for_each(|ty| self.reach(&ty, used));
            }
            TypeDefKind::Option(of) | TypeDefKind::List(of) => self.reach(of, used),
            _ => {}
        }
    }

    fn item(&self, name: &str, id: TypeId, items: &mut Vec<Item>) -> Result<(), SchemaError> {
        let def = &self.resolve.types[id];
        let shape = match &def.kind {
            TypeDefKind::Record(record) => {
                let field = |field: &wit_parser::Field| {
                    let docs = text(&field.docs);
                    let (ty, label) = self.labelled(&field.ty)?;
                    Ok(Field { name: field.name.clone(), text: kind_of_text(&field.name, &docs), docs, ty, label })
                };
                Shape::Record(record.fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let mut cases = Vec::new();
                for case in &variant.cases {
                    let docs = text(&case.docs);
                    let (ty, label) = case.ty.map_or(Ok((Type::Empty, Label::Required)), |ty| self.labelled(&ty))?;
                    let ty = match label {
                        Label::Required => ty,
                        Label::Optional => return Err(SchemaError::Type(format!("the option in `{name}`"))),
                        Label::Repeated => {
                            let list = format!("{name}-{}", case.name);
                            let docs = format!("The values of `{}` in `{name}`.", case.name);
                            items.push(Item { name: list.clone(), docs, shape: Shape::List(ty) });
                            Type::Message(list)
                        }
                    };
                    let kind = kind_of_text(&case.name, &docs);
                    cases.push(Field { name: case.name.clone(), docs, ty, label: Label::Required, text: kind });
                }
                Shape::Variant(cases)
            }
            TypeDefKind::Enum(cases) => {
                let value = |case: &wit_parser::EnumCase| Value { name: case.name.clone(), docs: text(&case.docs) };
                Shape::Enum(cases.cases.iter().map(value).collect())
            }
            other => return Err(SchemaError::Type(format!("`{name}`, which is {}", other.as_str()))),
        };
        items.push(Item { name: name.to_owned(), docs: text(&def.docs), shape });
        Ok(())
    }

    fn labelled(&self, ty: &WitType) -> Result<(Type, Label), SchemaError> {
        if let WitType::Id(id) = ty {
            let def = &self.resolve.types[*id];
            match (&def.name, &def.kind) {
                (None, TypeDefKind::Option(of)) => return Ok((self.single(of)?, Label::Optional)),
                (None, TypeDefKind::List(of)) => return Ok((self.single(of)?, Label::Repeated)),
                _ => {}
            }
        }
        Ok((self.single(ty)?, Label::Required))
    }

    fn single(&self, ty: &WitType) -> Result<Type, SchemaError> {
        Ok(match ty {
            WitType::Bool => Type::Bool,
            WitType::U8 => Type::Unsigned(8),
            WitType::U16 => Type::Unsigned(16),
            WitType::U32 => Type::Unsigned(32),
            WitType::F64 => Type::Double,
            WitType::String => Type::String,
            WitType::Id(id) => {
                let def = &self.resolve.types[*id];
                match (&def.name, &def.kind) {
                    (Some(name), TypeDefKind::Record(_) | TypeDefKind::Variant(_)) => Type::Message(name.clone()),
                    (Some(name), TypeDefKind::Enum(_)) => Type::Enum(name.clone()),
                    (_, other) => return Err(SchemaError::Type(format!("a field that is {}", other.as_str()))),
                }
            }
            other => return Err(SchemaError::Type(format!("a field that is {other:?}"))),
        })
    }
}

/// A comment, without the headings that group the items of a file.
fn text(docs: &wit_parser::Docs) -> String {
    let lines = docs.contents.as_deref().unwrap_or_default().lines();
    lines.filter(|line| !line.trim().starts_with("----")).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// What the contract says of a text: "a field named `json`, or said to be JSON, holds one complete JSON value".
fn kind_of_text(name: &str, docs: &str) -> Text {
    if name == "json" || docs.starts_with("JSON") && !docs.starts_with("JSON text") {
        Text::Json
    } else if docs.starts_with("Decimal text") {
        Text::Decimal
    } else {
        Text::Any
    }
}
