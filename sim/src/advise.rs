//! The runs that a decision between architectures rests on: the scenario when all is well, with its own faults, with each
//! kind of fault alone, with more load, without TLS, and as the system grows. Each is a [`Trial`]: an ordinary scenario
//! that anyone can run again. Owns which these are; runs nothing but a [`knee`], whose every try depends on the one
//! before, and judges nothing (`hoplab-reports`).
//!
//! Read `question` (what is asked), `trial` (one scenario that is run for it), `trials` (which there are), `shape` (what an application is made of, and which service is asked most), `parts` (of
//! what an architecture consists), `load` (more of it), `knee` (how much more).

pub mod knee;
mod load;
mod parts;
mod question;
mod shape;
mod trial;
mod trials;

pub use parts::Parts;
pub use question::Question;
pub use shape::Shape;
pub use trial::{About, NoQuestion, Trial};
pub use trials::{DRAWN, FLOOD, SLOW};
