//! The load of a plan: who asks for what, and when. Not here: how it is sent (`crate::load`).

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::application::EndpointId;
use super::network::ZoneId;
use crate::distribution::{Distribution, Sizes};

/// Where requests come from.
#[derive(Debug, Clone)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// When requests are sent.
    pub pace: Pace,
    /// What is requested, with weights; at least one, weights above zero.
    pub mix: Vec<(EndpointId, f64)>,
    /// Header fields, each with one of its values, drawn anew for each request; at least one.
    pub headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// Bytes of a request's content.
    pub request: Sizes,
    /// When the client gives up.
    pub timeout: Option<Duration>,
    /// Whether it says so when it asks.
    pub send_deadline: bool,
    /// Where its clients stand.
    pub zone: Option<ZoneId>,
    /// How many sessions its requests belong to, each at random; to none when `None`.
    pub sessions: Option<u32>,
}

/// When requests are sent.
#[derive(Debug, Clone)]
pub enum Pace {
    /// Whether or not earlier ones were answered.
    Open {
        /// Requests per second at points in time, linear between them; ordered, at least one.
        curve: Vec<(Duration, f64)>,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// By users who wait for each answer.
    Closed {
        /// How many.
        users: u32,
        /// How long they pause after an answer.
        think: Distribution,
    },
}

/// How open-loop requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// A Poisson process: exponential gaps.
    Poisson,
    /// Equal gaps.
    Uniform,
}
