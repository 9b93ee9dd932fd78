//! What a run looks like to people and to programs: from its [`Record`](hoplab_sim::record::Record)
//! alone to a terminal table, a summary, CSV files, plots and a page. Simulates nothing and reads no
//! clock: the same record gives the same bytes.
//!
//! | module | owns |
//! |---|---|
//! | [`summary`] | `summary.json`, the figures that programs and gates read |
//! | [`mod@table`] | the table on the terminal |
//! | [`mod@write`] | the folder that a run leaves behind, and reading it again |
//! | [`folder`] | which of these a folder holds, and rendering it again |
//! | [`index`] | one page over the runs of a folder |
//! | [`mod@compare`] | two runs side by side |
//! | [`explore`] | what drawn faults broke, and what they never exercised |
//! | [`advise`] | which architecture to choose, and what that rests on |
//! | [`study`] | work in parts, of which each is a file |
//! | [`checksums`] | a checksum for every file of a folder, and what was altered |
//! | [`alteration`] | a file that is not as it was left |
//! | [`claim`] | the one command that may write into a folder |
//! | [`sweep`] | a scenario at many points |
//! | [`page`] | `report.html`, one self-contained page |
//! | [`plots`] | the same charts as SVG and PNG files |
//! | [`data`] | the numbers behind the charts as CSV |
//! | [`trace`] | single requests and packets that were looked at closely |
//! | [`gate`] | what moved since a baseline, why, and whether that is too far |
//!
//! Below them, shared so that page, plots and files cannot disagree: `charts` (what each chart shows
//! and looks like), `axis` (scales and ticks), `added` (what an architecture costs over the
//! baseline), `owners` (who may own a microsecond), `palette` (one colour an architecture), `verdict`
//! (the answer in words), `column` (one unit for all cells of a column), `outcomes` (what holds, fails and cannot be judged), `format` (numbers for people), `grouped` (what is the same is said once), `chance` (what may be chance where two differ), `scope` (what figures are computed from). Below what
//! writes and reads folders: `names` (of files, and what a folder holds by them), `error`, `file` (one file, whole or
//! not at all), `seal` (the checksum of a part).

mod added;
mod adoption;
pub mod advise;
pub mod alteration;
mod axis;
mod chance;
mod charts;
pub mod checksums;
pub mod claim;
mod column;
pub mod compare;
pub mod data;
mod error;
pub mod explore;
mod file;
pub mod folder;
mod format;
pub mod gate;
mod grouped;
pub mod index;
mod money;
mod names;
mod outcomes;
mod owners;
pub mod page;
mod palette;
pub mod plots;
mod scope;
mod seal;
pub mod study;
pub mod summary;
pub mod sweep;
pub mod table;
pub mod trace;
mod verdict;
pub mod write;

pub use error::Error;
pub use file::{try_file, write_file};
pub use study::Study;
pub use summary::Summary;
pub use table::{Look, table};
pub use write::{Written, read, write};
