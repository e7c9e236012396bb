//! Writes the messages in Rust, for prost.

use std::fmt::Write as _;

use super::names::{camel, member, snake};
use super::{Field, File, Item, Label, Numbers, Shape, Type, Value};

/// The messages and enums as the text of a module.
pub fn text(file: &File) -> String {
    let mut out = String::new();
    let numbers = &file.numbers;
    for item in &file.schema.items {
        match &item.shape {
            Shape::Record(fields) => record(&mut out, item, fields, numbers),
            Shape::Variant(cases) => variant(&mut out, item, cases, numbers),
            Shape::Enum(values) => enumeration(&mut out, item, values, numbers),
            Shape::List(ty) => {
                let (name, attribute) = (camel(&item.name), attribute(ty));
                let _ = writeln!(
                    out,
                    "#[derive(Clone, PartialEq, ::prost::Message)]\npub struct {name} {{ #[prost({attribute}, repeated, \
                     tag = \"1\")] pub values: Vec<{}> }}",
                    rust(ty, "")
                );
            }
        }
    }
    out
}

fn record(out: &mut String, item: &Item, fields: &[Field], numbers: &Numbers) {
    let _ = writeln!(out, "#[derive(Clone, PartialEq, ::prost::Message)]\npub struct {} {{", camel(&item.name));
    for field in fields {
        let ty = rust(&field.ty, "");
        let (label, ty) = match (field.label, &field.ty) {
            (Label::Repeated, _) => (", repeated", format!("Vec<{ty}>")),
            (Label::Optional, _) | (Label::Required, Type::Message(_) | Type::Foreign(_)) => {
                (", optional", format!("Option<{ty}>"))
            }
            (Label::Required, _) => ("", ty),
        };
        let number = numbers.of(&item.name, &field.name);
        let _ = writeln!(
            out,
            "  #[prost({}{label}, tag = \"{number}\")] pub {}: {ty},",
            attribute(&field.ty),
            member(&field.name)
        );
    }
    out.push_str("}\n");
}

fn variant(out: &mut String, item: &Item, cases: &[Field], numbers: &Numbers) {
    let (name, module) = (camel(&item.name), snake(&item.name));
    let tags: Vec<String> = cases.iter().map(|case| numbers.of(&item.name, &case.name).to_string()).collect();
    let _ = writeln!(
        out,
        "#[derive(Clone, PartialEq, ::prost::Message)]\npub struct {name} {{ #[prost(oneof = \"{module}::Kind\", tags = \
         \"{}\")] pub kind: Option<{module}::Kind> }}\npub mod {module} {{\n#[derive(Clone, PartialEq, ::prost::Oneof)]\n\
         pub enum Kind {{",
        tags.join(", ")
    );
    for (case, tag) in cases.iter().zip(&tags) {
        let (attribute, ty) = (attribute(&case.ty), rust(&case.ty, "super::"));
        let _ = writeln!(out, "  #[prost({attribute}, tag = \"{tag}\")] {}({ty}),", camel(&case.name));
    }
    out.push_str("}\n}\n");
}

fn enumeration(out: &mut String, item: &Item, values: &[Value], numbers: &Numbers) {
    let _ = writeln!(
        out,
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]\n#[repr(i32)]\n\
         pub enum {} {{\n  Unspecified = 0,",
        camel(&item.name)
    );
    for value in values {
        let _ = writeln!(out, "  {} = {},", camel(&value.name), numbers.of(&item.name, &value.name));
    }
    out.push_str("}\n");
}

fn attribute(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Unsigned(_) => "uint32".to_owned(),
        Type::Double => "double".to_owned(),
        Type::String => "string".to_owned(),
        Type::Empty | Type::Message(_) | Type::Foreign(_) => "message".to_owned(),
        Type::Enum(name) => format!("enumeration = \"{}\"", camel(name)),
    }
}

fn rust(ty: &Type, path: &str) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Unsigned(_) => "u32".to_owned(),
        Type::Double => "f64".to_owned(),
        Type::String => "String".to_owned(),
        Type::Empty => "()".to_owned(),
        Type::Message(name) => format!("{path}{}", camel(name)),
        Type::Foreign(name) => format!("crate::types::{}", camel(name)),
        Type::Enum(_) => "i32".to_owned(),
    }
}
