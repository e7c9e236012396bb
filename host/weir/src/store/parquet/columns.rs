//! The columns of the file, which are the members of a line of the JSON export, under the same names.

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

use weir_store::Fact;

/// What a column has of a fact.
pub(super) enum Cells {
    /// A text that is never missing.
    Id,
    /// A text; none if it is empty.
    Text(fn(&Fact) -> &str),
    /// A number that is never missing.
    Number(fn(&Fact) -> i64),
    /// A number that may be unknown.
    Count(fn(&Fact) -> Option<i64>),
    Flag(fn(&Fact) -> bool),
    TagNames,
    TagValues,
}

use Cells::{Count, Flag, Id, Number, TagNames, TagValues, Text};

/// The file's schema line by line, and what is written into the columns that a line declares.
pub(super) const LINES: [(&str, Option<Cells>); 57] = [
    ("required binary id (STRING);", Some(Id)),
    ("required int64 time (TIMESTAMP(MILLIS,true));", Some(Number(|fact| whole(fact.id.time_ms())))),
    ("required int64 process;", Some(Number(|fact| fact.process))),
    ("required int64 sequence;", Some(Number(|fact| whole(fact.sequence)))),
    ("optional binary client_request_id (STRING);", Some(Text(|fact| &fact.client_request_id))),
    ("optional binary key (STRING);", Some(Text(|fact| &fact.key))),
    ("optional binary team (STRING);", Some(Text(|fact| &fact.team))),
    ("optional binary organisation (STRING);", Some(Text(|fact| &fact.organisation))),
    ("optional binary user (STRING);", Some(Text(|fact| &fact.user))),
    ("required group tags (MAP) { repeated group key_value { required binary key (STRING);", Some(TagNames)),
    ("required binary value (STRING); } }", Some(TagValues)),
    ("optional binary client (STRING);", Some(Text(|fact| &fact.client))),
    ("optional binary dialect (STRING);", Some(Text(|fact| &fact.dialect))),
    ("optional binary model_asked (STRING);", Some(Text(|fact| &fact.model_asked))),
    ("optional binary model_served (STRING);", Some(Text(|fact| &fact.model_served))),
    ("optional binary provider (STRING);", Some(Text(|fact| &fact.provider))),
    ("optional binary target (STRING);", Some(Text(|fact| &fact.target))),
    ("optional binary lane (STRING);", Some(Text(|fact| &fact.lane))),
    ("optional binary operation (STRING);", Some(Text(|fact| &fact.operation))),
    ("required int64 status;", Some(Number(|fact| i64::from(fact.status)))),
    ("optional binary outcome (STRING);", Some(Text(|fact| &fact.outcome))),
    ("optional binary finish (STRING);", Some(Text(|fact| &fact.finish))),
    ("optional binary error_kind (STRING);", Some(Text(|fact| &fact.error_kind))),
    ("optional binary error_text (STRING);", Some(Text(|fact| &fact.error_text))),
    ("optional binary attempts (JSON);", Some(Text(|fact| &fact.attempts))),
    ("required group tokens {", None),
    ("optional int64 input;", Some(Count(|fact| fact.tokens.input.map(whole)))),
    ("optional int64 input_audio;", Some(Count(|fact| fact.tokens.input_audio.map(whole)))),
    ("optional int64 input_image;", Some(Count(|fact| fact.tokens.input_image.map(whole)))),
    ("optional int64 cache_read;", Some(Count(|fact| fact.tokens.cache_read.map(whole)))),
    ("optional int64 cache_write;", Some(Count(|fact| fact.tokens.cache_write.map(whole)))),
    ("optional int64 cache_write_hour;", Some(Count(|fact| fact.tokens.cache_write_hour.map(whole)))),
    ("optional int64 output;", Some(Count(|fact| fact.tokens.output.map(whole)))),
    ("optional int64 output_audio;", Some(Count(|fact| fact.tokens.output_audio.map(whole)))),
    ("optional int64 output_image;", Some(Count(|fact| fact.tokens.output_image.map(whole)))),
    ("optional int64 reasoning; }", Some(Count(|fact| fact.tokens.reasoning.map(whole)))),
    ("required boolean estimated;", Some(Flag(|fact| fact.estimated))),
    ("optional binary units (JSON);", Some(Text(|fact| &fact.units))),
    ("optional int64 cost_nano;", Some(Count(|fact| fact.cost_nano))),
    ("optional int64 cost_usd (DECIMAL(18,9));", Some(Count(|fact| fact.cost_nano.filter(|nano| is_dollars(*nano))))),
    ("optional binary price_version (STRING);", Some(Text(|fact| &fact.price_version))),
    ("required int64 total_us;", Some(Number(|fact| whole(fact.total_us)))),
    ("optional int64 first_token_us;", Some(Count(|fact| fact.first_token_us.map(whole)))),
    ("required int64 own_us;", Some(Number(|fact| whole(fact.own_us)))),
    ("required int64 bytes_in;", Some(Number(|fact| whole(fact.bytes_in)))),
    ("required int64 bytes_out;", Some(Number(|fact| whole(fact.bytes_out)))),
    ("optional binary losses (JSON);", Some(Text(|fact| &fact.losses))),
    ("optional binary adapter (STRING);", Some(Text(|fact| &fact.adapter))),
    ("optional binary adapter_digest (STRING);", Some(Text(|fact| &fact.adapter_digest))),
    ("optional binary service_tier (STRING);", Some(Text(|fact| &fact.service_tier))),
    ("required boolean batch;", Some(Flag(|fact| fact.batch))),
    ("optional binary region (STRING);", Some(Text(|fact| &fact.region))),
    ("optional binary model_named (STRING);", Some(Text(|fact| &fact.model_named))),
    ("optional int64 saved_nano;", Some(Count(|fact| fact.saved_nano))),
    ("optional int64 saved_usd (DECIMAL(18,9));", Some(Count(|fact| fact.saved_nano.filter(|nano| is_dollars(*nano))))),
    ("optional int64 similarity_millionths;", Some(Count(|fact| fact.similarity_millionths))),
    (
        "optional int64 similarity (DECIMAL(7,6));",
        Some(Count(|fact| fact.similarity_millionths.filter(|cosine| is_cosine(*cosine)))),
    ),
];

/// A count as the file's type of numbers; the store keeps none that is larger.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whether millionths are those of a cosine.
fn is_cosine(millionths: i64) -> bool {
    millionths.unsigned_abs() <= 1_000_000
}

/// Whether nano-dollars have at most the 18 digits of the column of dollars: less than a billion dollars.
fn is_dollars(nano: i64) -> bool {
    nano.unsigned_abs() < 1_000_000_000_000_000_000
}

impl Cells {
    /// Writes the column's values of these facts.
    pub(super) fn write(&self, facts: &[Fact], column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Id => {
                let values: Vec<ByteArray> = facts.iter().map(|fact| fact.id.to_string().into_bytes().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Text(of) => {
                let texts = || facts.iter().map(of);
                let values: Vec<ByteArray> = texts().filter(|text| !text.is_empty()).map(bytes).collect();
                let levels: Vec<i16> = texts().map(|text| i16::from(!text.is_empty())).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
            }
            Number(of) => {
                let values: Vec<i64> = facts.iter().map(of).collect();
                column.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
            Count(of) => {
                let values: Vec<i64> = facts.iter().filter_map(of).collect();
                let levels: Vec<i16> = facts.iter().map(|fact| i16::from(of(fact).is_some())).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
            }
            Flag(of) => {
                let values: Vec<bool> = facts.iter().map(of).collect();
                column.typed::<BoolType>().write_batch(&values, None, None)?;
            }
            TagNames => write_tags(facts, column, |(name, _)| bytes(name))?,
            TagValues => write_tags(facts, column, |(_, value)| bytes(value))?,
        }
        Ok(())
    }
}

fn bytes(text: &str) -> ByteArray {
    text.as_bytes().to_vec().into()
}

/// One side of the tags. A fact without any has an entry that is not defined; the first of several begins a row, and
/// the others repeat it.
fn write_tags(
    facts: &[Fact],
    column: &mut SerializedColumnWriter<'_>,
    side: fn((&String, &String)) -> ByteArray,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = facts.iter().flat_map(|fact| fact.tags.iter().map(side)).collect();
    let (mut defined, mut repeated) = (Vec::new(), Vec::new());
    for fact in facts {
        for number in 0..fact.tags.len().max(1) {
            defined.push(i16::from(!fact.tags.is_empty()));
            repeated.push(i16::from(number > 0));
        }
    }
    column.typed::<ByteArrayType>().write_batch(&values, Some(&defined), Some(&repeated)).map(|_| ())
}
