//! The gateway over real sockets of this machine.

mod lab;
mod routing;
