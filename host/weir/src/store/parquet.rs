//! Facts as an Apache Parquet file, which is made while it is sent: facts are collected to groups of rows of a bounded
//! size, and a group leaves as soon as it is full.

mod columns;

use std::mem;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use self::columns::LINES;
use weir_store::Fact;

/// Bytes of facts in memory of which a group of rows is made: forty thousand facts or so, if their texts are short. The
/// file's end names each group, and is made in memory; so groups are not much smaller.
const GROUP_BYTES: usize = 32 << 20;

/// A file that grows by groups of rows.
pub(crate) struct ParquetFile {
    writer: SerializedFileWriter<Vec<u8>>,
    waiting: Vec<Fact>,
    /// Bytes of the facts that wait.
    weight: usize,
    group_bytes: usize,
}

impl ParquetFile {
    /// A file without rows.
    pub(crate) fn new() -> Result<Self, ParquetError> {
        Self::with_groups_of(GROUP_BYTES)
    }

    fn with_groups_of(group_bytes: usize) -> Result<Self, ParquetError> {
        let lines: String = LINES.iter().map(|(line, _)| *line).collect();
        let schema = parse_message_type(&format!("message requests {{ {lines} }}"))?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("weir version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // By group only: the indexes of pages of a long file would be kept in memory to its end.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, waiting: Vec::new(), weight: 0, group_bytes })
    }

    /// Takes the next facts. Returns the bytes that the file has grown by, often none.
    pub(crate) fn push(&mut self, facts: Vec<Fact>) -> Result<Vec<u8>, ParquetError> {
        for fact in facts {
            self.weight += fact.weight();
            self.waiting.push(fact);
            if self.weight >= self.group_bytes {
                self.end_group()?;
            }
        }
        self.grown()
    }

    /// The last bytes of the file. Without them, no reader takes it for one.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        self.end_group()?;
        self.writer.into_inner()
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        self.weight = 0;
        let facts = mem::take(&mut self.waiting);
        if facts.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for cells in LINES.iter().filter_map(|(_, cells)| cells.as_ref()) {
            let missing = || ParquetError::General("a column has no declaration".to_owned());
            let mut column = group.next_column()?.ok_or_else(missing)?;
            cells.write(&facts, &mut column)?;
            column.close()?;
        }
        group.close().map(|_| ())
    }

    fn grown(&mut self) -> Result<Vec<u8>, ParquetError> {
        self.writer.flush()?;
        Ok(mem::take(self.writer.inner_mut()))
    }
}

#[cfg(test)]
mod tests;
