//! TCP as Linux has it: two ends of a connection, as state machines that are told what time it is.
//!
//! Read [`endpoint`] first: handshake, half close, reset, and who waits for what. It joins two halves. The [`sender`]
//! cuts, sends and sends again: [`scoreboard`] keeps what is on its way, [`round_trip`] how long that takes,
//! [`alarms`] what is waited for, [`rack`] finds what is lost, [`congestion`] says how much may be on its way,
//! [`recovery`] what a loss does to that and in which [`phase`] it is, and [`pacing`] spreads it. The [`receiver`] puts together ([`reassembly`])
//! and acknowledges. What crosses the wire is a [`segment`].
//!
//! How much may be on its way is one of three algorithms' to say, by name: Reno, [`cubic`], both after [`slow_start`],
//! and [`bbr`], which follows the [`delivery_rate`], the largest of late ([`max_filter`]).
//!
//! Each algorithm names its RFC and what of Linux 6.18 it follows; `linux-tcp.md` and `tests/it/linux_tcp.rs` hold
//! them to a real kernel. Owns no socket, no wire and no clock; not here: which pod an end is in ([`super::kernel`]).

mod alarms;
mod bbr;
mod congestion;
mod cubic;
mod delivery_rate;
mod endpoint;
mod max_filter;
mod pacing;
mod phase;
mod rack;
mod reassembly;
mod receiver;
mod recovery;
mod round_trip;
mod scoreboard;
mod segment;
mod sender;
mod slow_start;

pub(super) use endpoint::Endpoint;
pub(super) use receiver::WINDOW_MAX;
pub(super) use segment::{Broken, Flags, SEGMENT_MAX, Segment, TIMESTAMPS};
pub(super) use sender::Timeouts;

#[cfg(test)]
mod tests;
