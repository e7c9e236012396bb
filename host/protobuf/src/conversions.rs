//! Writes the conversions between the messages and the contract's types in Rust. A message of a client is checked on
//! its way: `Invalid` says which field is wrong. The text refers to `weir_types::contract::types` as `model` and uses
//! the functions of `check`, which the module that includes it has to provide.

use std::fmt::Write as _;

use super::names::{camel, member, snake};
use super::{Field, Item, Label, Schema, Shape, Text, Type, Value};

/// The conversions as the text of a module.
pub fn text(schema: &Schema) -> String {
    let mut out = String::new();
    for item in &schema.items {
        match &item.shape {
            Shape::Record(fields) => record(&mut out, item, fields),
            Shape::Variant(cases) => variant(&mut out, schema, item, cases),
            Shape::Enum(values) => enumeration(&mut out, item, values),
            Shape::List(_) => {}
        }
    }
    out
}

fn record(out: &mut String, item: &Item, fields: &[Field]) {
    let name = camel(&item.name);
    let _ = writeln!(out, "impl From<model::{name}> for {name} {{ fn from(it: model::{name}) -> Self {{ Self {{");
    for field in fields {
        let (own, value) = (member(&field.name), format!("it.{}", member(&field.name)));
        let _ = writeln!(out, "{own}: {},", answered(&value, field));
    }
    let _ = writeln!(
        out,
        "}} }} }}\nimpl TryFrom<{name}> for model::{name} {{ type Error = Invalid; fn try_from(it: {name}) -> \
         Result<Self, Invalid> {{ Ok(Self {{"
    );
    for field in fields {
        let (own, value) = (member(&field.name), format!("it.{}", member(&field.name)));
        let _ = writeln!(out, "{own}: {},", asked(&value, field));
    }
    out.push_str("}) } }\n");
}

fn variant(out: &mut String, schema: &Schema, item: &Item, cases: &[Field]) {
    let (name, module) = (camel(&item.name), snake(&item.name));
    let _ = writeln!(
        out,
        "impl From<model::{name}> for {name} {{ fn from(it: model::{name}) -> Self {{ let kind = match it {{"
    );
    for case in cases {
        let own = camel(&case.name);
        let _ = match (&case.ty, list_of(schema, &case.ty)) {
            (Type::Empty, _) => writeln!(out, "model::{name}::{own} => {module}::Kind::{own}(()),"),
            (_, Some((list, ty))) => {
                let items = Field { ty: ty.clone(), label: Label::Repeated, ..case.clone() };
                let values = answered("it", &items);
                writeln!(out, "model::{name}::{own}(it) => {module}::Kind::{own}({list} {{ values: {values} }}),")
            }
            (Type::Message(_), None) => {
                writeln!(out, "model::{name}::{own}(it) => {module}::Kind::{own}(it.into()),")
            }
            _ => writeln!(out, "model::{name}::{own}(it) => {module}::Kind::{own}({}),", answered("it", case)),
        };
    }
    let _ = writeln!(
        out,
        "}}; Self {{ kind: Some(kind) }} }} }}\nimpl TryFrom<{name}> for model::{name} {{ type Error = Invalid; fn \
         try_from(it: {name}) -> Result<Self, Invalid> {{ Ok(match it.kind {{ None => return Err(Invalid::missing()),"
    );
    for case in cases {
        let own = camel(&case.name);
        let _ = match (&case.ty, list_of(schema, &case.ty)) {
            (Type::Empty, _) => writeln!(out, "Some({module}::Kind::{own}(())) => Self::{own},"),
            (_, Some((_, ty))) => {
                let items = Field { ty: ty.clone(), label: Label::Repeated, ..case.clone() };
                writeln!(out, "Some({module}::Kind::{own}(it)) => Self::{own}({}),", asked("it.values", &items))
            }
            (Type::Message(_), None) => writeln!(
                out,
                "Some({module}::Kind::{own}(it)) => Self::{own}(it.try_into().map_err(|why: Invalid| why.within(\"{}\"))?),",
                snake(&case.name)
            ),
            _ => writeln!(out, "Some({module}::Kind::{own}(it)) => Self::{own}({}),", asked("it", case)),
        };
    }
    out.push_str("}) } }\n");
}

fn enumeration(out: &mut String, item: &Item, values: &[Value]) {
    let name = camel(&item.name);
    let _ = writeln!(
        out,
        "impl From<model::{name}> for {name} {{ fn from(it: model::{name}) -> Self {{ match it {{ {} }} }} }}",
        pairs(values, |value| format!("model::{name}::{value} => Self::{value},"))
    );
    let _ = writeln!(
        out,
        "impl check::Chosen for model::{name} {{ fn chosen(number: i32) -> Result<Self, Invalid> {{ match \
         {name}::try_from(number) {{ Ok({name}::Unspecified) => Err(Invalid::missing()), {} Err(_) => \
         Err(Invalid::unknown(number)) }} }} }}",
        pairs(values, |value| format!("Ok({name}::{value}) => Ok(Self::{value}),"))
    );
}

fn pairs(values: &[Value], pair: impl Fn(&str) -> String) -> String {
    values.iter().map(|value| pair(&camel(&value.name))).collect()
}

/// The list's message and the type of its values, if the type is such a message.
fn list_of<'s>(schema: &'s Schema, ty: &Type) -> Option<(String, &'s Type)> {
    let Type::Message(name) = ty else { return None };
    match &schema.items.iter().find(|item| item.name == *name)?.shape {
        Shape::List(ty) => Some((camel(name), ty)),
        _ => None,
    }
}

/// A value of the contract as a message's field.
fn answered(value: &str, field: &Field) -> String {
    let each = match &field.ty {
        Type::Bool | Type::Double | Type::String | Type::Unsigned(32) => return value.to_owned(),
        Type::Empty => "()".to_owned(),
        Type::Unsigned(_) => "u32::from(it)".to_owned(),
        Type::Message(_) | Type::Foreign(_) => "it.into()".to_owned(),
        Type::Enum(name) => format!("{}::from(it) as i32", camel(name)),
    };
    match (field.label, &field.ty) {
        (Label::Repeated, _) => format!("{value}.into_iter().map(|it| {each}).collect()"),
        (Label::Optional, _) => format!("{value}.map(|it| {each})"),
        (Label::Required, Type::Message(_)) => format!("Some({})", each.replace("it", value)),
        (Label::Required, _) => each.replace("(it)", &format!("({value})")),
    }
}

/// A message's field as a value of the contract, checked.
fn asked(value: &str, field: &Field) -> String {
    let place = format!("\"{}\"", snake(&field.name));
    let check = match (&field.ty, field.text) {
        (Type::String, Text::Json) => "check::json",
        (Type::String, Text::Decimal) => "check::decimal",
        (Type::Bool | Type::String | Type::Unsigned(32), _) => return value.to_owned(),
        (Type::Empty, _) => return "()".to_owned(),
        (Type::Unsigned(_), _) => "check::small",
        (Type::Double, _) => "check::number",
        (Type::Message(_) | Type::Foreign(_), _) => "TryInto::try_into",
        (Type::Enum(_), _) => "check::Chosen::chosen",
    };
    match (field.label, &field.ty) {
        (Label::Repeated, _) => format!("check::each({value}, {place}, {check})?"),
        (Label::Optional, _) => format!("check::maybe({value}, {place}, {check})?"),
        (Label::Required, Type::Message(_)) => format!("check::one({value}.unwrap_or_default(), {place}, {check})?"),
        (Label::Required, _) => format!("check::one({value}, {place}, {check})?"),
    }
}
