//! What a fault means: for the caller a status, for records a name. The one place that says so.

use std::fmt;

use http::StatusCode;

use crate::grpc;
use crate::telemetry::Fault;

impl Fault {
    /// Those that an upstream may have.
    pub const OF_UPSTREAMS: [Self; 15] = [
        Self::NoEndpoint,
        Self::BreakerOpen,
        Self::Failfast,
        Self::Throttled,
        Self::Overflow,
        Self::PendingTimeout,
        Self::Exhausted,
        Self::Refused,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Reset,
        Self::ProtocolError,
        Self::Timeout,
        Self::DeadlinePassed,
        Self::UpgradeUnsupported,
    ];

    /// The status that tells a caller of it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::FieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoEndpoint
            | Self::BreakerOpen
            | Self::Throttled
            | Self::Overflow
            | Self::PendingTimeout
            | Self::Exhausted
            | Self::Refused
            | Self::ConcurrencyLimited
            | Self::AdmissionRefused
            | Self::PriorityShed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Tls | Self::Reset | Self::ProtocolError => StatusCode::BAD_GATEWAY,
            // As Linkerd answers.
            Self::ConnectTimeout
            | Self::Timeout
            | Self::Failfast
            | Self::DeadlinePassed
            | Self::TunnelIdle => StatusCode::GATEWAY_TIMEOUT,
            Self::UpgradeUnsupported => StatusCode::NOT_IMPLEMENTED,
            // Nobody is there to read it; nginx logs the same.
            Self::Cancelled => StatusCode::from_u16(499).expect("499 is in the range of statuses"),
        }
    }

    /// The gRPC status that tells a caller of it: `UNAVAILABLE` invites another try, as in Envoy and Linkerd, which time
    /// that has run out and a limit on the caller do not.
    pub fn grpc_status(self) -> u8 {
        match self {
            Self::Cancelled => 1,
            Self::Timeout | Self::DeadlinePassed | Self::RequestTimeout | Self::TunnelIdle => 4,
            Self::RateLimited | Self::ContentTooLarge | Self::FieldsTooLarge => grpc::RESOURCE_EXHAUSTED,
            // As gRPC's own servers answer a method that they do not have.
            Self::NoRoute | Self::UpgradeUnsupported => grpc::UNIMPLEMENTED,
            Self::Malformed => 13,
            Self::NoEndpoint
            | Self::BreakerOpen
            | Self::Throttled
            | Self::Overflow
            | Self::PendingTimeout
            | Self::Exhausted
            | Self::Refused
            | Self::ConcurrencyLimited
            | Self::AdmissionRefused
            | Self::PriorityShed
            | Self::Tls
            | Self::Reset
            | Self::ProtocolError
            | Self::ConnectTimeout
            | Self::Failfast => 14,
        }
    }

    /// Whether it says that there is too much to do, so that the same request would pass at another time.
    pub fn is_overload(self) -> bool {
        matches!(
            self,
            Self::BreakerOpen
                | Self::Throttled
                | Self::Overflow
                | Self::PendingTimeout
                | Self::Exhausted
                | Self::ConcurrencyLimited
                | Self::AdmissionRefused
                | Self::PriorityShed
        )
    }

    /// Its name in records and in the answer's body.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "no-route",
            Self::NoEndpoint => "no-endpoint",
            Self::BreakerOpen => "breaker-open",
            Self::Failfast => "failfast",
            Self::Throttled => "throttled",
            Self::Overflow => "overflow",
            Self::PendingTimeout => "pending-timeout",
            Self::Exhausted => "exhausted",
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect-timeout",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::ProtocolError => "protocol-error",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::Cancelled => "cancelled",
            Self::RateLimited => "rate-limited",
            Self::ConcurrencyLimited => "concurrency-limited",
            Self::AdmissionRefused => "admission-refused",
            Self::PriorityShed => "priority-shed",
            Self::DeadlinePassed => "deadline-passed",
            Self::RequestTimeout => "request-timeout",
            Self::UpgradeUnsupported => "upgrade-unsupported",
            Self::TunnelIdle => "tunnel-idle",
            Self::ContentTooLarge => "content-too-large",
            Self::FieldsTooLarge => "fields-too-large",
        }
    }

    /// Whether it speaks against the endpoint, so that a breaker counts it.
    pub fn blames_endpoint(self) -> bool {
        match self {
            Self::Refused
            | Self::ConnectTimeout
            | Self::Tls
            | Self::Reset
            | Self::ProtocolError
            | Self::Timeout => true,
            Self::NoRoute
            | Self::NoEndpoint
            | Self::BreakerOpen
            | Self::Failfast
            | Self::Throttled
            | Self::Overflow
            | Self::PendingTimeout
            | Self::Exhausted
            | Self::Malformed
            | Self::Cancelled
            | Self::RateLimited
            | Self::ConcurrencyLimited
            | Self::AdmissionRefused
            | Self::PriorityShed
            | Self::RequestTimeout
            | Self::DeadlinePassed
            | Self::UpgradeUnsupported
            | Self::TunnelIdle
            | Self::ContentTooLarge
            | Self::FieldsTooLarge => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoute => "no route matches the request",
            Self::NoEndpoint => "the upstream has no endpoint",
            Self::BreakerOpen => "the circuit breaker is open",
            Self::Failfast => "no endpoint of the upstream has been usable for a while",
            Self::Throttled => "the upstream accepts too few requests to be sent more",
            Self::Overflow => "too many requests are waiting for the upstream",
            Self::PendingTimeout => "the request waited too long for a connection to the upstream",
            Self::Exhausted => "there is no room for another connection",
            Self::Refused => "the upstream refused the connection",
            Self::ConnectTimeout => "the upstream could not be connected to in time",
            Self::Tls => "the TLS handshake with the upstream failed",
            Self::Reset => "the connection broke before the message was complete",
            Self::ProtocolError => "the upstream's answer is malformed",
            Self::Timeout => "the upstream did not answer in time",
            Self::Malformed => "the message is malformed",
            Self::Cancelled => "the caller went away",
            Self::RateLimited => "the rate limit is reached",
            Self::ConcurrencyLimited => "as many requests are in progress as are allowed",
            Self::AdmissionRefused => "too few requests succeed to admit more",
            Self::PriorityShed => "requests of higher priority need the room",
            Self::DeadlinePassed => "the deadline of the request has passed",
            Self::RequestTimeout => "the content of the request did not come in time",
            Self::UpgradeUnsupported => "the upstream does not switch to the protocol that was asked for",
            Self::TunnelIdle => "nothing passed through the tunnel for too long",
            Self::ContentTooLarge => "the request has more content than is allowed",
            Self::FieldsTooLarge => "the header fields of the request are larger than is allowed",
        })
    }
}

impl std::error::Error for Fault {}
