//! Writes the `.proto` file.

use std::fmt::Write as _;

use super::names::{camel, shout, snake};
use super::{Field, File, Item, Label, Method, Numbers, Shape, TYPES, Type, Value, service};

/// The text of a `.proto` file.
pub fn text(file: &File) -> String {
    let mut out = String::new();
    comment(&mut out, "", file.head);
    out.push_str("//\n// `cargo xtask contract` makes this file.\n");
    let _ = writeln!(out, "syntax = \"proto3\";\n\npackage {};\n", file.package);
    for path in file.imports {
        let _ = writeln!(out, "import \"{path}\";");
    }
    if !file.methods.is_empty() {
        out.push('\n');
        service_of(&mut out, file.methods);
    }
    let numbers = &file.numbers;
    for item in &file.schema.items {
        out.push('\n');
        comment(&mut out, "", &item.docs);
        match &item.shape {
            Shape::Record(fields) if fields.is_empty() => _ = writeln!(out, "message {} {{}}", camel(&item.name)),
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

fn service_of(out: &mut String, methods: &[Method]) {
    comment(out, "", service::DOCS);
    let _ = writeln!(out, "service {} {{", service::NAME);
    for method in methods {
        comment(out, "  ", method.docs);
        let [request, answer] = method.messages.map(camel);
        let stream = if method.streams { "stream " } else { "" };
        let _ = writeln!(out, "  rpc {}({request}) returns ({stream}{answer});", method.name);
    }
    out.push_str("}\n");
}

fn record(out: &mut String, item: &Item, fields: &[Field], numbers: &Numbers) {
    let _ = writeln!(out, "message {} {{", camel(&item.name));
    reserved(out, &numbers.gone(&item.name, |name| fields.iter().any(|field| field.name == name)));
    for field in fields {
        comment(out, "  ", &field.docs);
        let label = match (field.label, &field.ty) {
            (Label::Repeated, _) => "repeated ",
            (Label::Optional, Type::Message(_) | Type::Foreign(_) | Type::Empty) | (Label::Required, _) => "",
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
        Type::Foreign(name) => format!("{TYPES}.{}", camel(name)),
    }
}
