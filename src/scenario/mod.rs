//! Scenario text to typed values: the only code that sees text.
//!
//! `text -> spanned tree (tree, parse) -> overlays, presets (overlay, catalog) -> typed values (reader, sampler)`, with
//! every problem collected on the way (diagnostic, codes). One table of fields (table) feeds the reader, `explain`, the
//! reference and the editor schema (schema).

pub mod visible;
pub mod codes;
pub mod cold_starts;
pub mod diagnostic;
pub mod machines;
pub mod tree;
pub mod parse;
pub mod units;
pub mod table;
pub mod names;
pub mod prices;
pub mod cron;
pub mod calendar;
pub mod dates;
pub mod month;
pub mod data;
pub mod recording;
pub mod sheet;
pub mod witness;
pub mod reader;
pub mod sampler;
pub mod overlay;
pub mod catalog;
pub mod catalog_files;
pub mod schema;

pub use catalog::{Catalog, Service};
pub use codes::{CODES, Code};
pub use data::{Files, Folder, NoFiles, Shelf};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, distance, nearest, part_of};
pub use names::{Names, Target};
pub use parse::parse;
pub use reader::{
    Block, Context, check_table, read_choice, read_count, read_duration, read_entries, read_flag, read_money,
    read_number, read_rate, read_sampler, read_share, read_size, read_target, read_text, single_key,
};
pub use table::{Field, Kind, Presence, Range, Table};
pub use tree::{Key, Node, NodeKind, Sources, Span};
pub use visible::{visible, visible_line};
