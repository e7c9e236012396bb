//! Writes the `.proto` file.

use std::fmt::Write as _;

use super::names::{camel, shout, snake};
use super::{Field, Item, Label, Numbers, Schema, Shape, Type, Value};

const HEAD: &str = "\
// The unified model of the contract in wit/, from which `cargo xtask contract` makes this file. Texts that are said to be
// JSON hold one complete JSON value.
syntax = \"proto3\";

package weir.types.v1;

import \"google/protobuf/empty.proto\";
";

/// The schema as a `.proto` file.
pub fn text(schema: &Schema, numbers: &Numbers) -> String {
    let mut out = HEAD.to_owned();
    for item in &schema.items {
        out.push('\n');
        comment(&mut out, "", &item.docs);
        match &item.shape {
            Shape::Record(fields) => record(&mut out, item, fields, numbers),
            Shape::Variant(cases) => variant(&mut out, item, cases, numbers),
            Shape::Enum(values) => values_of(&mut out, item, values, numbers),
            Shape::List(ty) => {
                let _ = writeln!(out, "message {} {{\n  repeated {} values = 1;\n}}", camel(&item.name), spelled(ty));
            }
        }
    }
    out
}

fn record(out: &mut String, item: &Item, fields: &[Field], numbers: &Numbers) {
    let _ = writeln!(out, "message {} {{", camel(&item.name));
    reserved(out, &numbers.gone(&item.name, |name| fields.iter().any(|field| field.name == name)));
    for field in fields {
        comment(out, "  ", &field.docs);
        let label = match (field.label, &field.ty) {
            (Label::Repeated, _) => "repeated ",
            (Label::Optional, Type::Message(_) | Type::Empty) | (Label::Required, _) => "",
            (Label::Optional, _) => "optional ",
        };
        let number = numbers.of(&item.name, &field.name);
        let _ = writeln!(out, "  {label}{} {} = {number};", spelled(&field.ty), snake(&field.name));
    }
    out.push_str("}\n");
}

fn variant(out: &mut String, item: &Item, cases: &[Field], numbers: &Numbers) {
    let _ = writeln!(out, "message {} {{", camel(&item.name));
    reserved(out, &numbers.gone(&item.name, |name| cases.iter().any(|case| case.name == name)));
    out.push_str("  oneof kind {\n");
    for case in cases {
        comment(out, "    ", &case.docs);
        let number = numbers.of(&item.name, &case.name);
        let _ = writeln!(out, "    {} {} = {number};", spelled(&case.ty), snake(&case.name));
    }
    out.push_str("  }\n}\n");
}

fn values_of(out: &mut String, item: &Item, values: &[Value], numbers: &Numbers) {
    let prefix = shout(&item.name);
    let _ = writeln!(out, "enum {} {{", camel(&item.name));
    reserved(out, &numbers.gone(&item.name, |name| values.iter().any(|value| value.name == name)));
    let _ = writeln!(out, "  {prefix}_UNSPECIFIED = 0;");
    for value in values {
        comment(out, "  ", &value.docs);
        let number = numbers.of(&item.name, &value.name);
        let _ = writeln!(out, "  {prefix}_{} = {number};", shout(&value.name));
    }
    out.push_str("}\n");
}

fn reserved(out: &mut String, gone: &[u32]) {
    let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
    if !gone.is_empty() {
        let _ = writeln!(out, "  reserved {};", gone.join(", "));
    }
}

fn comment(out: &mut String, indent: &str, docs: &str) {
    for line in docs.lines() {
        let _ = writeln!(out, "{}", format!("{indent}// {}", line.trim()).trim_end());
    }
}

fn spelled(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Unsigned(_) => "uint32".to_owned(),
        Type::Double => "double".to_owned(),
        Type::String => "string".to_owned(),
        Type::Empty => "google.protobuf.Empty".to_owned(),
        Type::Message(name) | Type::Enum(name) => camel(name),
    }
}
