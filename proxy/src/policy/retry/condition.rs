//! After which failures a request is tried again: Envoy's conditions by Envoy's names, the codes of gRPC, and
//! header fields by which an answer asks for it. Knows no attempts, no pauses and no budget.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::grpc;
use crate::telemetry::Fault;

/// A failure after which to try again, named as in Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The connection could not be opened: refused, timed out, no TLS.
    ConnectFailure,
    /// The upstream said that it had not looked at the request (HTTP/2 `REFUSED_STREAM`), or nothing of it was
    /// ever written.
    RefusedStream,
    /// There was no answer, whatever ended the attempt: no connection, a broken one, or no time left.
    Reset,
    /// There was no answer, and nothing of the request was ever written: no connection, or a broken one.
    ResetBeforeRequest,
    /// Any answer from 500 to 599, and no answer at all.
    ServerError,
    /// An answer of 502, 503 or 504, and no answer at all.
    GatewayError,
    /// An answer of 409, as in Envoy.
    Retriable4xx,
    /// An answer with this status.
    Status(StatusCode),
    /// An answer with one of the fields of [`super::Config::headers`].
    RetriableHeaders,
    /// An answer that a rate limit gave (`x-envoy-ratelimited`), which no other condition covers, as in Envoy;
    /// [`super::Retry::covers`] sees to it.
    EnvoyRateLimited,
    /// An answer whose `grpc-status` is this.
    Grpc(GrpcCode),
}

/// The codes of gRPC after which a call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcCode {
    /// `CANCELLED`, 1.
    Cancelled,
    /// `DEADLINE_EXCEEDED`, 4.
    DeadlineExceeded,
    /// `RESOURCE_EXHAUSTED`, 8.
    ResourceExhausted,
    /// `INTERNAL`, 13.
    Internal,
    /// `UNAVAILABLE`, 14.
    Unavailable,
}

/// A field of an answer that asks for another try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Its name.
    pub name: HeaderName,
    /// Its value; any when `None`.
    pub value: Option<HeaderValue>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy)]
pub enum Failure<'a> {
    /// There was an answer.
    Answered {
        /// Its status.
        status: StatusCode,
        /// Its fields.
        headers: &'a HeaderMap,
        /// Its trailers, where they were waited for.
        trailers: Option<&'a HeaderMap>,
    },
    /// There was none.
    Unanswered {
        /// Why.
        fault: Fault,
        /// How far the request had come.
        reach: Reach,
    },
}

/// How far a request had come when its attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This proxy never got hold of a connection, by its own rules.
    Held,
    /// No connection could be opened.
    Connecting,
    /// There was a connection, but nothing of the request was written.
    Unwritten,
    /// The upstream refused it unseen.
    Refused,
    /// The upstream may have seen it.
    Sent,
}

impl Reach {
    /// Whether it is certain that the upstream has not looked at the request.
    pub fn is_unseen(self) -> bool {
        matches!(self, Self::Connecting | Self::Unwritten | Self::Refused)
    }
}

impl Condition {
    /// Whether `failure` is one after which to try again; `retriable` are the fields that ask for it.
    #[inline]
    pub fn covers(self, failure: Failure<'_>, retriable: &[HeaderMatch]) -> bool {
        match failure {
            Failure::Unanswered { reach, .. } => self.covers_silence(reach),
            Failure::Answered { status, headers, trailers } => match self {
                Self::ServerError => status.is_server_error(),
                Self::GatewayError => matches!(status.as_u16(), 502..=504),
                Self::Retriable4xx => status == StatusCode::CONFLICT,
                Self::Status(wanted) => wanted == status,
                Self::RetriableHeaders => retriable.iter().any(|wanted| wanted.matches(headers)),
                Self::Grpc(code) => {
                    let said = headers.get(grpc::STATUS).or_else(|| trailers?.get(grpc::STATUS));
                    said.is_some_and(|said| said.as_bytes() == code.number().as_bytes())
                }
                _ => false,
            },
        }
    }

    /// Whether it is about answers of gRPC.
    pub fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc(_))
    }

    fn covers_silence(self, reach: Reach) -> bool {
        match self {
            Self::ConnectFailure => reach == Reach::Connecting,
            Self::RefusedStream => matches!(reach, Reach::Refused | Reach::Unwritten),
            // In Envoy, what ends an attempt without an answer counts as the 503 or 504 that it would become.
            Self::Reset | Self::ServerError | Self::GatewayError => reach != Reach::Held,
            Self::ResetBeforeRequest => matches!(reach, Reach::Connecting | Reach::Unwritten),
            _ => false,
        }
    }
}

impl GrpcCode {
    /// Its number, as `grpc-status` says it.
    fn number(self) -> &'static str {
        match self {
            Self::Cancelled => "1",
            Self::DeadlineExceeded => "4",
            Self::ResourceExhausted => "8",
            Self::Internal => "13",
            Self::Unavailable => "14",
        }
    }
}

impl HeaderMatch {
    fn matches(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(&self.name).iter();
        lines.any(|line| self.value.as_ref().is_none_or(|value| value == line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);

    fn unanswered(reach: Reach) -> Failure<'static> {
        Failure::Unanswered { fault: Fault::Reset, reach }
    }

    fn answered(status: u16) -> Failure<'static> {
        Failure::Answered { status: StatusCode::from_u16(status).unwrap(), headers: &NONE, trailers: None }
    }

    fn fields(name: &'static str, value: &'static str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(name, HeaderValue::from_static(value));
        fields
    }

    #[test]
    fn conditions_cover_what_envoy_says() {
        use Reach::{Connecting, Held, Refused, Sent, Unwritten};
        let silences = [Held, Connecting, Unwritten, Refused, Sent];
        let statuses = [200, 409, 429, 500, 502, 503, 504];
        let any_silence: &[Reach] = &[Connecting, Unwritten, Refused, Sent];
        let table: [(Condition, &[Reach], &[u16]); 8] = [
            (Condition::ConnectFailure, &[Connecting], &[]),
            (Condition::RefusedStream, &[Unwritten, Refused], &[]),
            (Condition::Reset, any_silence, &[]),
            (Condition::ResetBeforeRequest, &[Connecting, Unwritten], &[]),
            (Condition::ServerError, any_silence, &[500, 502, 503, 504]),
            (Condition::GatewayError, any_silence, &[502, 503, 504]),
            (Condition::Retriable4xx, &[], &[409]),
            (Condition::Status(StatusCode::TOO_MANY_REQUESTS), &[], &[429]),
        ];
        for (condition, covered_silences, covered_statuses) in table {
            for reach in silences {
                let covers = condition.covers(unanswered(reach), &[]);
                assert_eq!(covers, covered_silences.contains(&reach), "{condition:?} {reach:?}");
            }
            for status in statuses {
                let covers = condition.covers(answered(status), &[]);
                assert_eq!(covers, covered_statuses.contains(&status), "{condition:?} {status}");
            }
        }
    }

    #[test]
    fn an_answer_may_ask_for_another_try() {
        let name = HeaderName::from_static("x-should-retry");
        let any = [HeaderMatch { name: name.clone(), value: None }];
        let yes = [HeaderMatch { name, value: Some(HeaderValue::from_static("true")) }];
        let covers = |headers: &HeaderMap, retriable: &[HeaderMatch]| {
            let failure = Failure::Answered { status: StatusCode::OK, headers, trailers: None };
            Condition::RetriableHeaders.covers(failure, retriable)
        };
        let (told, denied) = (fields("x-should-retry", "true"), fields("x-should-retry", "false"));
        assert!(covers(&told, &any) && covers(&denied, &any) && !covers(&NONE, &any));
        assert!(covers(&told, &yes) && !covers(&denied, &yes));
        assert!(!covers(&told, &[]));
    }

    #[test]
    fn grpc_says_it_in_the_head_or_in_trailers_that_were_waited_for() {
        let unavailable = Condition::Grpc(GrpcCode::Unavailable);
        let said = fields("grpc-status", "14");
        let status = StatusCode::OK;
        let in_head = Failure::Answered { status, headers: &said, trailers: None };
        let in_trailers = Failure::Answered { status, headers: &NONE, trailers: Some(&said) };
        assert!(unavailable.covers(in_head, &[]) && unavailable.covers(in_trailers, &[]));
        assert!(!unavailable.covers(answered(200), &[]));
        for code in
            [GrpcCode::Cancelled, GrpcCode::DeadlineExceeded, GrpcCode::ResourceExhausted, GrpcCode::Internal]
        {
            assert!(!Condition::Grpc(code).covers(in_head, &[]), "{code:?}");
        }
    }
}
