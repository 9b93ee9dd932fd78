//! Charts as drawings: marks on a plane, without a file format. The page paints them as SVG that
//! follows the reader's theme, `plots` paints the same ones with plotters. Owns what a chart looks
//! like, not what paints it.

pub(crate) mod breakdown;
pub(crate) mod breakers;
pub(crate) mod curves;
pub(crate) mod differences;
mod drawing;
pub(crate) mod heat;
mod lanes;
pub(crate) mod lines;
pub(crate) mod load;
pub(crate) mod over_time;
pub(crate) mod percentiles;
pub(crate) mod policies;
pub(crate) mod waterfall;

pub(crate) use drawing::{Align, Cell, Drawing, Frame, HEAT_LEVELS, Ink, Mark, Room};
