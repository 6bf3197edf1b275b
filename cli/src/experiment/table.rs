//! Files of rows, CSV or Parquet, read one row at a time: a file may be larger than the memory.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use crate::failure::{Failure, Kind};

/// What a cell holds, if it is not empty.
pub(super) type Cell<'a> = Option<Cow<'a, str>>;

/// A row as the caller sees it: its place in the file, and the cells that were asked for, in that order.
pub(super) type Row<'a> = dyn FnMut(&str, &[Cell<'_>]) -> Result<(), Failure> + 'a;

/// Every Parquet file begins with it.
const PARQUET_MAGIC: &[u8] = b"PAR1";

/// Shows every row, and of it the named columns.
pub(super) fn read(file: &Path, columns: &[&str], each: &mut Row<'_>) -> Result<(), Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(Kind::DocumentUnreadable, format!("failed to read {}: {error}", file.display()))
    };
    let mut opened = File::open(file).map_err(|error| unreadable(&error))?;
    let mut magic = [0; PARQUET_MAGIC.len()];
    let is_parquet = std::io::Read::read_exact(&mut opened, &mut magic).is_ok() && magic == PARQUET_MAGIC;
    std::io::Seek::rewind(&mut opened).map_err(|error| unreadable(&error))?;
    if is_parquet { parquet(file, opened, columns, each) } else { csv(file, opened, columns, each) }
}

/// What is wrong with a place in the data.
pub(super) fn unusable(file: &Path, message: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::DataUnusable, format!("{}: {message}", file.display()))
}

fn csv(file: &Path, opened: File, columns: &[&str], each: &mut Row<'_>) -> Result<(), Failure> {
    let broken = |error: csv::Error| unusable(file, error);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(opened);
    let headers = reader.headers().map_err(broken)?.clone();
    // Spreadsheets put a mark of their own before the first name.
    let names: Vec<&str> = headers.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let places = places(file, &names, columns)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |place: &usize| record.get(*place).filter(|cell| !cell.is_empty()).map(Cow::Borrowed);
        let cells: Vec<Cell<'_>> = places.iter().map(cell).collect();
        each(&format!("line {line}"), &cells)?;
    }
    Ok(())
}

fn places(file: &Path, names: &[&str], columns: &[&str]) -> Result<Vec<usize>, Failure> {
    let place = |column: &&str| {
        let mut found = names.iter().enumerate().filter(|(_, name)| name == &column);
        match (found.next(), found.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => Err(unusable(file, format!("column {column:?} is there twice"))),
            (None, _) => {
                let there = names.join(", ");
                Err(unusable(file, format!("there is no column {column:?}; there are: {there}")))
            }
        }
    };
    columns.iter().map(place).collect()
}

fn parquet(file: &Path, opened: File, columns: &[&str], each: &mut Row<'_>) -> Result<(), Failure> {
    let broken = |error: parquet::errors::ParquetError| unusable(file, error);
    let reader = SerializedFileReader::new(opened).map_err(broken)?;
    let schema = reader.metadata().file_metadata().schema();
    let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
    places(file, &names, columns)?;
    // Only what is asked for is read from the disk, in the file's order.
    let wanted: Vec<Arc<Type>> =
        schema.get_fields().iter().filter(|field| columns.contains(&field.name())).cloned().collect();
    let order: Vec<&str> = wanted.iter().map(|field| field.name()).collect();
    let places = places(file, &order, columns)?;
    let projection =
        Type::group_type_builder(schema.name()).with_fields(wanted.clone()).build().map_err(broken)?;
    for (index, row) in reader.get_row_iter(Some(projection)).map_err(broken)?.enumerate() {
        let row = row.map_err(broken)?;
        let fields: Vec<Cell<'_>> = row.get_column_iter().map(|(_, field)| cell(field)).collect();
        let cells: Vec<Cell<'_>> = places.iter().map(|place| fields.get(*place).cloned().flatten()).collect();
        each(&format!("row {}", index + 1), &cells)?;
    }
    Ok(())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "everything else is a number, a date or nested, and shows itself"
)]
fn cell(field: &Field) -> Cell<'_> {
    match field {
        Field::Null => None,
        Field::Str(text) => Some(Cow::Borrowed(text.trim())).filter(|text| !text.is_empty()),
        Field::Bytes(bytes) => bytes.as_utf8().ok().map(Cow::Borrowed),
        // The digits that tell a double from every other, so that nothing is lost on the way.
        Field::Double(value) => Some(Cow::Owned(value.to_string())),
        Field::Float(value) => Some(Cow::Owned(value.to_string())),
        other => Some(Cow::Owned(other.to_string())),
    }
}
