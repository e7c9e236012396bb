use std::collections::BTreeSet;

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Value, json};

use super::*;
use crate::store::shown::shown;
use weir_store::RequestId;

/// A fact in which no two members are equal.
fn full(number: u64) -> Fact {
    let mut count = number * 1_000;
    let mut json = serde_json::to_value(Fact::of(RequestId::new(1_795_219_200_000 + number, [7; 10]))).unwrap();
    let mut next = || {
        count += 1;
        count
    };
    for (name, value) in json.as_object_mut().unwrap() {
        match name.as_str() {
            "id" => {}
            "tags" => *value = json!({format!("a{}", next()): "one", format!("b{}", next()): ""}),
            "attempts" | "losses" | "units" => *value = json!(format!("[{}]", next())),
            "status" => *value = json!(200),
            "estimated" => *value = json!(true),
            "similarity_millionths" => *value = json!(next() % 1_000_000),
            "tokens" => {
                let names = ["input", "input_audio", "input_image", "cache_read", "cache_write", "cache_write_hour"];
                for name in names.into_iter().chain(["output", "output_audio", "output_image", "reasoning"]) {
                    value[name] = json!(next());
                }
            }
            _ if value.is_string() => *value = json!(format!("text {}", next())),
            _ if value.is_number() || value.is_null() => *value = json!(next()),
            _ => {}
        }
    }
    serde_json::from_value(json).unwrap()
}

fn rows(bytes: Vec<u8>) -> (usize, Vec<Row>) {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    (reader.num_row_groups(), reader.get_row_iter(None).unwrap().map(Result::unwrap).collect())
}

/// A value of a row as a line of the JSON export has it.
fn as_shown(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => json!(flag),
        Field::Long(number) => json!(number),
        // A column of JSON; no other text of these tests begins so.
        Field::Str(json) if json.starts_with('[') => serde_json::from_str(json).unwrap(),
        Field::Str(text) => json!(text),
        Field::TimestampMillis(time) => {
            json!(crate::time::from_milliseconds(u64::try_from(*time).unwrap()).unwrap().to_string())
        }
        Field::Decimal(amount) => {
            let digits = i64::from_be_bytes(amount.data().try_into().unwrap());
            match amount.scale() {
                6 => json!(digits as f64 / 1e6),
                9 => json!(crate::store::shown::dollars(digits)),
                other => panic!("a scale of {other}"),
            }
        }
        Field::Group(row) => row.get_column_iter().map(|(name, field)| (name.clone(), as_shown(field))).collect(),
        Field::MapInternal(map) => map
            .entries()
            .iter()
            .map(|(name, value)| (as_shown(name).as_str().unwrap().to_owned(), as_shown(value)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// A line of the JSON export without what the file leaves out: what is empty or not known.
fn known(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let members = members.iter().filter(|(_, value)| !value.is_null() && *value != "");
    members.map(|(name, value)| (name.clone(), if name == "tags" { value.clone() } else { known(value) })).collect()
}

fn assert_same(row: &Row, fact: &Fact) {
    assert_eq!(known(&as_shown(&Field::Group(row.clone()))), known(&shown(fact)));
}

#[test]
fn each_column_has_what_the_line_of_json_has() {
    let mut facts = vec![full(1), Fact::of(RequestId::new(5, [0; 10])), full(2)];
    facts[2].tags.clear();
    (facts[2].cost_nano, facts[2].estimated, facts[2].batch) = (Some(123_456_789), false, true);
    let mut file = ParquetFile::new().unwrap();
    let mut bytes = file.push(facts.clone()).unwrap();
    bytes.extend(file.finish().unwrap());
    let (groups, rows) = rows(bytes);
    assert_eq!((groups, rows.len()), (1, 3));
    for (row, fact) in rows.iter().zip(&facts) {
        assert_same(row, fact);
    }
    let named: BTreeSet<&String> = rows[0].get_column_iter().map(|(name, _)| name).collect();
    let line = shown(&facts[0]);
    assert_eq!(named, line.as_object().unwrap().keys().collect());
}

#[test]
fn groups_leave_as_they_fill_and_hold_a_bounded_number_of_facts() {
    let mut file = ParquetFile::with_groups_of(64 << 10).unwrap();
    let mut bytes = Vec::new();
    for page in 0..20 {
        bytes.extend(file.push((0..100).map(|number| full(page * 100 + number)).collect()).unwrap());
        assert!(file.weight < 64 << 10 && file.writer.inner().is_empty(), "what is full has left");
    }
    assert!(bytes.len() > 64 << 10);
    bytes.extend(file.finish().unwrap());
    let (groups, rows) = rows(bytes);
    assert!(groups > 10, "{groups}");
    assert_eq!(rows.len(), 2_000);
    for (row, number) in rows.iter().zip(0..) {
        assert_same(row, &full(number));
    }
}

#[test]
fn amounts_beyond_the_column_of_dollars_are_left_to_the_nano_dollars() {
    let mut fact = Fact::of(RequestId::new(5, [0; 10]));
    fact.cost_nano = Some(1_000_000_000_000_000_000);
    let mut file = ParquetFile::new().unwrap();
    let mut bytes = file.push(vec![fact]).unwrap();
    bytes.extend(file.finish().unwrap());
    let row = as_shown(&Field::Group(rows(bytes).1.remove(0)));
    assert_eq!((&row["cost_nano"], &row["cost_usd"]), (&json!(1_000_000_000_000_000_000_i64), &Value::Null));
}

#[test]
fn an_empty_export_is_a_file() {
    let (groups, rows) = rows(ParquetFile::new().unwrap().finish().unwrap());
    assert_eq!((groups, rows.len()), (0, 0));
}
