//! Writes a `FileDescriptorProto`, by which clients learn the schema from a running server.

use super::names::{camel, shout, snake};
use super::{Field, File, Item, Label, Shape, Type, service};

/// The file as an encoded `google.protobuf.FileDescriptorProto`.
pub fn encoded(file: &File) -> Vec<u8> {
    let mut out = Record::default();
    out.text(1, file.path).text(2, file.package);
    file.imports.iter().for_each(|path| _ = out.text(3, path));
    for item in &file.schema.items {
        match &item.shape {
            Shape::Record(fields) => out.record(4, &message(file, item, fields, false)),
            Shape::Variant(cases) => out.record(4, &message(file, item, cases, true)),
            Shape::List(ty) => out.record(4, &list(file, item, ty)),
            Shape::Enum(_) => out.record(5, &enumeration(file, item)),
        };
    }
    if !file.methods.is_empty() {
        let mut own = Record::default();
        own.text(1, service::NAME);
        for method in file.methods {
            let [request, answer] = method.messages.map(|name| format!(".{}.{}", file.package, camel(name)));
            let mut one = Record::default();
            one.text(1, method.name).text(2, &request).text(3, &answer);
            if method.streams {
                one.number(6, 1);
            }
            own.record(2, &one);
        }
        out.record(6, &own);
    }
    out.text(12, "proto3");
    out.0
}

fn message(file: &File, item: &Item, fields: &[Field], is_choice: bool) -> Record {
    let mut out = Record::default();
    out.text(1, &camel(&item.name));
    let mut oneofs: Vec<String> = if is_choice { vec!["kind".to_owned()] } else { Vec::new() };
    for field in fields {
        let mut one = Record::default();
        let name = snake(&field.name);
        one.text(1, &name).number(3, u64::from(file.numbers.of(&item.name, &field.name)));
        one.number(4, if field.label == Label::Repeated { 3 } else { 1 });
        typed(file, &mut one, &field.ty);
        let is_marked = field.label == Label::Optional && !is_message(&field.ty);
        if is_choice {
            one.number(9, 0);
        } else if is_marked {
            // An optional field is the only one of a oneof that is made for it.
            one.number(9, oneofs.len() as u64);
            oneofs.push(format!("_{name}"));
        }
        one.text(10, &json_name(&name));
        if is_marked {
            one.number(17, 1);
        }
        out.record(2, &one);
    }
    for name in oneofs {
        let mut one = Record::default();
        one.text(1, &name);
        out.record(8, &one);
    }
    out
}

fn list(file: &File, item: &Item, ty: &Type) -> Record {
    let mut field = Record::default();
    field.text(1, "values").number(3, 1).number(4, 3);
    typed(file, &mut field, ty);
    field.text(10, "values");
    let mut out = Record::default();
    out.text(1, &camel(&item.name)).record(2, &field);
    out
}

fn enumeration(file: &File, item: &Item) -> Record {
    let Shape::Enum(values) = &item.shape else { return Record::default() };
    let prefix = shout(&item.name);
    let mut out = Record::default();
    out.text(1, &camel(&item.name));
    let names = values.iter().map(|value| (shout(&value.name), file.numbers.of(&item.name, &value.name)));
    for (name, number) in std::iter::once(("UNSPECIFIED".to_owned(), 0)).chain(names) {
        let mut one = Record::default();
        one.text(1, &format!("{prefix}_{name}")).number(2, u64::from(number));
        out.record(2, &one);
    }
    out
}

fn is_message(ty: &Type) -> bool {
    matches!(ty, Type::Empty | Type::Message(_) | Type::Foreign(_))
}

fn typed(file: &File, out: &mut Record, ty: &Type) {
    let (kind, name) = match ty {
        Type::Double => (1, None),
        Type::Bool => (8, None),
        Type::String => (9, None),
        Type::Unsigned(_) => (13, None),
        Type::Empty => (11, Some(".google.protobuf.Empty".to_owned())),
        Type::Foreign(name) => (11, Some(format!(".{}.{}", super::TYPES, camel(name)))),
        Type::Message(name) => (11, Some(format!(".{}.{}", file.package, camel(name)))),
        Type::Enum(name) => (14, Some(format!(".{}.{}", file.package, camel(name)))),
    };
    out.number(5, kind);
    if let Some(name) = name {
        out.text(6, &name);
    }
}

/// A field's name in JSON: `request_id` as `requestId`.
fn json_name(name: &str) -> String {
    let mut out = String::new();
    let mut is_next_large = false;
    for letter in name.chars() {
        if letter == '_' {
            is_next_large = true;
        } else {
            out.push(if is_next_large { letter.to_ascii_uppercase() } else { letter });
            is_next_large = false;
        }
    }
    out
}

/// An encoded message.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn text(&mut self, field: u64, text: &str) -> &mut Self {
        self.bytes(field, text.as_bytes())
    }

    fn record(&mut self, field: u64, record: &Self) -> &mut Self {
        self.bytes(field, &record.0)
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) -> &mut Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(&mut self, field: u64, number: u64) -> &mut Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_written_as_protobuf_has_them() {
        let mut record = Record::default();
        record.text(1, "a").number(3, 300);
        assert_eq!(record.0, [0x0a, 1, b'a', 0x18, 0xac, 0x02]);
        assert_eq!(["kind", "request_id", "cache_write_hour"].map(json_name), ["kind", "requestId", "cacheWriteHour"]);
    }
}
