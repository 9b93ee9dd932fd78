//! What every file that people write shares: the reader, and the one shape in which all that is wrong with a file is told:
//! place, excerpt, fact, hint, all at once. Scenarios, gateways' and sidecars' files are read by it.
//!
//! Read it in this order: [`place`] and [`problem`] (what is told), [`context`] (what reading shares), [`mod@read`] and
//! [`mod@table`] (values and tables), [`quantity`] (numbers with units). Owns no key of any file: those stand where they mean
//! something.

pub mod context;
pub mod file;
mod foreign;
pub mod form;
pub mod keys;
pub mod outline;
pub mod place;
pub mod problem;
pub mod quantity;
pub mod read;
pub mod reference;
pub mod schema;
pub mod source;
pub mod suggest;
mod syntax;
pub mod table;

pub use context::{Context, Fetch, read, read_from, read_kept, read_value, read_with};
pub use form::{Describe, REQUIRED, Required};
pub use keys::Keys;
pub use outline::{Outline, Outlined};
pub use place::{At, Place};
pub use problem::{Problem, Problems, Severity};
pub use read::{AboveZero, AtLeastOne, Choice, Read, ReadAs, Value, wrong_type};
pub use source::Source;
pub use table::{Named, Names, Table};
