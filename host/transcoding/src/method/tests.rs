use proptest::prelude::*;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

use super::*;

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

fn list(name: &str, number: i32, kind: Type, of: Option<&str>) -> FieldDescriptorProto {
    let label = Some(Label::Repeated.into());
    FieldDescriptorProto { label, type_name: of.map(str::to_owned), ..field(name, number, kind) }
}

fn claim(change: impl FnOnce(&mut MethodDescriptorProto)) -> GrpcMethod {
    let message = |name: &str, field| DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![field],
        ..DescriptorProto::default()
    };
    let mut method = MethodDescriptorProto {
        name: Some("Tell".to_owned()),
        input_type: Some(".tale.v1.Wish".to_owned()),
        output_type: Some(".tale.v1.Tale".to_owned()),
        server_streaming: Some(true),
        ..MethodDescriptorProto::default()
    };
    change(&mut method);
    let file = FileDescriptorProto {
        name: Some("tale.proto".to_owned()),
        package: Some("tale.v1".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![
            message("Wish", field("json_body", 1, Type::Bytes)),
            DescriptorProto {
                name: Some("Tale".to_owned()),
                field: vec![
                    field("word_count", 2, Type::Int64),
                    list("words", 3, Type::Int32, None),
                    list("rhymes", 4, Type::Float, None),
                    list("parts", 5, Type::Message, Some(".tale.v1.Tale")),
                ],
                ..DescriptorProto::default()
            },
        ],
        service: vec![ServiceDescriptorProto {
            name: Some("Teller".to_owned()),
            method: vec![method],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    GrpcMethod {
        service: "tale.v1.Teller".to_owned(),
        method: "Tell".to_owned(),
        stream: true,
        descriptors: STANDARD.encode(set),
    }
}

#[test]
fn messages_are_json_by_the_mapping_of_protocol_buffers() {
    let method = Method::compile(&claim(|_| {})).unwrap();
    assert_eq!(method.path(), "tale.v1.Teller/Tell");
    assert!(method.streams());
    assert_eq!(method.request(br#"{"jsonBody": "e30="}"#).unwrap(), &[0, 0, 0, 0, 4, 0x0a, 2, b'{', b'}'][..]);
    assert_eq!(method.request(b"").unwrap(), &[0; 5][..]);
    assert_eq!(method.answer(Bytes::from_static(&[0x10, 7])).unwrap(), r#"{"wordCount":"7"}"#);
    assert_eq!(method.answer(Bytes::new()).unwrap(), "{}");
    let unknown = [0x7a, 1, b'x', 0x10, 7];
    assert_eq!(method.answer(Bytes::copy_from_slice(&unknown)).unwrap(), r#"{"wordCount":"7"}"#);
}

#[test]
fn what_is_no_message_is_refused() {
    let method = Method::compile(&claim(|_| {})).unwrap();
    for json in [&b"[]"[..], b"{\"other\": 1}", b"{} {}", b"{\"jsonBody\": \"?\"}", b"\xff"] {
        assert_eq!(method.request(json), Err(MessageError::Json), "{}", String::from_utf8_lossy(json));
    }
    for bytes in [&[0x10][..], &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], b"<html>"] {
        assert_eq!(method.answer(Bytes::copy_from_slice(bytes)), Err(MessageError::Bytes));
    }
}

/// A field of bytes.
fn holding(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![number << 3 | 2];
    prost::encode_length_delimiter(bytes.len(), &mut message).unwrap();
    message.extend_from_slice(bytes);
    message
}

#[test]
fn a_message_of_too_many_values_is_refused_before_it_is_decoded() {
    let method = Method::compile(&claim(|_| {})).unwrap();
    let answer = |message: Vec<u8>| method.answer(Bytes::from(message)).map(|json| json.len() > 2);
    let (most, over) = (size::MAX_VALUES - 1, size::MAX_VALUES + 1);
    for (what, value, bytes) in [("numbers", 3, 1), ("floats", 4, 4)] {
        assert_eq!(answer(holding(value, &vec![1; most * bytes])), Ok(true), "{what}");
        assert_eq!(answer(holding(value, &vec![1; over * bytes])), Err(MessageError::TooMany), "{what}");
    }
    let inner = holding(5, &holding(3, &vec![1; over]));
    assert_eq!(answer(inner), Err(MessageError::TooMany), "within a message");
    assert_eq!(answer(holding(5, b"").repeat(over)), Err(MessageError::TooMany), "messages without fields");
    assert_eq!(answer([0x38, 1].repeat(over)), Err(MessageError::TooMany), "fields of no known number");
}

#[test]
fn a_method_is_what_its_descriptors_say() {
    let refused = |claim: GrpcMethod| Method::compile(&claim).unwrap_err();
    assert_eq!(refused(GrpcMethod { descriptors: "?".to_owned(), ..claim(|_| {}) }), MethodError::Base64);
    let other = GrpcMethod { method: "Sing".to_owned(), ..claim(|_| {}) };
    assert_eq!(refused(other), MethodError::Absent("tale.v1.Teller/Sing".to_owned()));
    assert_eq!(refused(claim(|method| method.client_streaming = Some(true))), MethodError::ClientStreams);
    assert_eq!(refused(claim(|method| method.server_streaming = None)), MethodError::Stream);
    let open = claim(|method| method.output_type = Some(".tale.v1.Song".to_owned()));
    assert!(matches!(refused(open), MethodError::Descriptors(_)));
    let long = GrpcMethod { descriptors: "AAAA".repeat(DESCRIPTOR_BYTES), ..claim(|_| {}) };
    assert_eq!(refused(long), MethodError::TooLarge);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let method = Method::compile(&claim(|_| {})).unwrap();
        if let Ok(json) = method.answer(Bytes::from(bytes)) {
            prop_assert!(!json.contains('\n'));
        }
    }
}
