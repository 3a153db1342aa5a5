//! Tables that fit the width of a terminal. Nothing is cut within a figure: names are shortened in their middle, whole
//! columns are left out and named, and on a very narrow terminal each row becomes a block of lines.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::terminal::paragraph;
use crate::kernel::number::fit;

/// Below so many columns each row becomes a block of lines.
pub const NARROW: usize = 60;

/// The style of all tables.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));
/// Blanks between columns.
const GAP: usize = 2;
/// Names are shortened to so many letters before a column is left out for their sake.
const NAME_ENOUGH: usize = 20;
/// Names are not shortened to fewer letters than that.
const NAME_LEAST: usize = 8;

/// What a column holds, and what may be done to it where room is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Marks before the row.
    Mark,
    /// Names, which may be shortened.
    Name,
    /// Words or values that stay whole.
    Words,
    /// Figures, which stay whole; the column is left out before those of a lower rank, one of rank 0 never.
    Figure(u8),
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// What stands above it, in one or more lines.
    pub head: String,
    /// What it holds.
    pub kind: Kind,
    /// One field for each row.
    pub fields: Vec<String>,
}

impl Column {
    /// Its head in one line.
    fn name(&self) -> String {
        in_one_line(&self.head)
    }

    fn is_name(&self) -> bool {
        self.kind == Kind::Name
    }

    fn rank(&self) -> u8 {
        match self.kind {
            Kind::Figure(rank) => rank,
            _ => 0,
        }
    }

    /// The widest line of its head and its fields.
    fn width(&self) -> usize {
        let fields = self.fields.iter().flat_map(|field| field.split('\n'));
        let lines = self.head.split('\n').chain(fields);
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    }
}

/// A head in one line.
pub fn in_one_line(head: &str) -> String {
    head.replace("\n/", "/").replace('\n', " ")
}

/// A text of at most `most` letters, with its beginning and its end.
pub fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.into();
    }
    let kept = most.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let head = letters[..head].iter();
    head.chain(['…'].iter())
        .chain(&letters[letters.len() - tail..])
        .collect()
}

/// Words in lines of at most `width` letters, where that can be: a long heading.
pub fn stacked(words: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// The width of a table that has these columns.
pub fn width(columns: &[Column]) -> usize {
    let each = columns.iter().enumerate().map(|(index, column)| {
        let last = index + 1 == columns.len();
        column.width() + if last { 0 } else { gap(column) }
    });
    each.sum()
}

/// Blanks behind a column.
fn gap(column: &Column) -> usize {
    if column.kind == Kind::Mark { 1 } else { GAP }
}

/// The table in so many columns of a terminal, and the heads of what is left out.
pub fn fitted(columns: &[Column], most: usize) -> (String, Vec<String>) {
    let mut kept = columns.to_vec();
    if most < NARROW {
        return (blocks(columns, most), Vec::new());
    }
    while width(&named(&kept, NAME_ENOUGH)) > most {
        let dearest = kept.iter().enumerate().max_by_key(|(_, column)| column.rank());
        let Some((place, _)) = dearest.filter(|(_, column)| column.rank() > 0) else {
            break;
        };
        kept.remove(place);
    }
    let lengths = (NAME_LEAST..=longest_name(&kept).max(NAME_LEAST)).rev();
    let fits = |length: &usize| width(&named(&kept, *length)) <= most;
    let Some(length) = lengths.into_iter().find(fits) else {
        return (blocks(columns, most), Vec::new());
    };
    let names = |column: &Column| !kept.iter().any(|other| other.head == column.head);
    let left_out = columns
        .iter()
        .filter(|column| names(column))
        .map(|column| column.head.clone())
        .collect();
    (ruled(&named(&kept, length)), left_out)
}

fn longest_name(columns: &[Column]) -> usize {
    columns
        .iter()
        .filter(|column| column.is_name())
        .map(Column::width)
        .max()
        .unwrap_or(0)
}

/// The columns with names of at most so many letters.
fn named(columns: &[Column], most: usize) -> Vec<Column> {
    let shorter = |column: &Column| Column {
        head: column
            .head
            .split('\n')
            .map(|line| shortened(line, most))
            .collect::<Vec<_>>()
            .join("\n"),
        fields: column.fields.iter().map(|field| shortened(field, most)).collect(),
        ..*column
    };
    let each = columns.iter().map(|column| {
        if column.is_name() {
            shorter(column)
        } else {
            column.clone()
        }
    });
    each.collect()
}

/// The table with a rule under its heads.
pub fn ruled(columns: &[Column]) -> String {
    let mut table = Table::new();
    table.load_style(RULED);
    let lines = |column: &Column| column.head.matches('\n').count();
    let most = columns.iter().map(lines).max().unwrap_or(0);
    // Heads stand on the rule.
    let head = |column: &Column| format!("{}{}", "\n".repeat(most - lines(column)), column.head);
    table.set_header(columns.iter().map(head));
    let rows = columns.first().map_or(0, |column| column.fields.len());
    for row in 0..rows {
        table.add_row(columns.iter().map(|column| &column.fields[row]));
    }
    for (index, content) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            let last = index + 1 == columns.len();
            column.set_padding((0, if last { 0 } else { fit(gap(content)) }));
            if matches!(content.kind, Kind::Figure(_)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// Each row as a block of lines, its mark before the first of them.
fn blocks(columns: &[Column], most: usize) -> String {
    let marks = columns.iter().find(|column| column.kind == Kind::Mark);
    let margin = if marks.is_some() { "  " } else { "" };
    let rows = columns.first().map_or(0, |column| column.fields.len());
    let block = |row: usize| {
        let mut lines = String::new();
        for column in columns.iter().filter(|column| column.kind != Kind::Mark) {
            let value = &column.fields[row];
            let room = most.saturating_sub(margin.len() + column.name().chars().count() + 2);
            let value = if column.is_name() {
                shortened(value, room.max(NAME_LEAST))
            } else {
                value.clone()
            };
            let line = format!("{}: {value}", column.name());
            paragraph(&mut lines, &line, most, margin, &format!("{margin}  "));
        }
        let mark = marks.map_or("", |marks| marks.fields[row].as_str());
        if mark.is_empty() {
            lines
        } else {
            format!("{mark}{}", &lines[mark.len().min(margin.len())..])
        }
    };
    (0..rows)
        .map(block)
        .collect::<Vec<_>>()
        .join("\n")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(head: &str, kind: Kind, fields: [&str; 2]) -> Column {
        Column {
            head: head.into(),
            kind,
            fields: fields.map(str::to_owned).to_vec(),
        }
    }

    fn table() -> Vec<Column> {
        vec![
            column("", Kind::Mark, ["!", ""]),
            column("variant", Kind::Name, ["a-name-that-is-rather-long", "b"]),
            column("p99", Kind::Figure(0), ["1,240 ms ±30", "7 ms"]),
            column("cold\n%", Kind::Figure(2), ["0.354 ±0.002", "1"]),
            column("errors\n%", Kind::Figure(1), ["0.354 ±0.002", "1"]),
        ]
    }

    #[test]
    fn names_are_shortened_in_their_middle() {
        assert_eq!(shortened("provisioned", 11), "provisioned");
        assert_eq!(shortened("provisioned", 6), "pro…ed");
        assert_eq!(shortened("größenwahn", 5), "gr…hn");
    }

    #[test]
    fn a_table_that_fits_is_whole() {
        let (text, left_out) = fitted(&table(), 72);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[3],
            "! a-name-that-is-rather-long  1,240 ms ±30  0.354 ±0.002  0.354 ±0.002"
        );
        assert_eq!(lines[3].chars().count(), 70);
        assert!(left_out.is_empty());
    }

    #[test]
    fn names_give_way_before_columns_do_and_figures_never() {
        let (text, left_out) = fitted(&table(), 66);
        assert!(
            text.contains("! a-name-that…ather-long  1,240 ms ±30  0.354 ±0.002  0.354 ±0.002"),
            "{text}"
        );
        assert!(left_out.is_empty());
        let (text, left_out) = fitted(&table(), 63);
        // The room that the column leaves is the name's again.
        assert!(
            text.contains("! a-name-that-is-rather-long  1,240 ms ±30  0.354 ±0.002"),
            "{text}"
        );
        assert!(!text.contains("cold"));
        assert_eq!(left_out, ["cold\n%"]);
    }

    #[test]
    fn a_narrow_terminal_has_a_block_for_each_row() {
        let (text, left_out) = fitted(&table(), 24);
        let expected = "! variant: a-name…r-long\n  p99: 1,240 ms ±30\n  cold %: 0.354 ±0.002\n  \
                        errors %: 0.354 ±0.002\n\n  variant: b\n  p99: 7 ms\n  cold %: 1\n  errors %: 1";
        assert_eq!(text, expected);
        assert!(left_out.is_empty());
    }

    #[test]
    fn a_table_that_cannot_be_made_to_fit_becomes_blocks() {
        let wide = "7".repeat(70);
        let columns = [
            column("variant", Kind::Name, ["a", "b"]),
            column("p99", Kind::Figure(0), [&wide, "1"]),
        ];
        assert!(fitted(&columns, 75).0.starts_with("variant: a\np99: 7"));
    }
}
