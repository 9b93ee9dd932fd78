//! OTLP's JSON encoding of spans (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): a `TracesData`,
//! which is an `ExportTraceServiceRequest`, too. Owns names, order and notation; what is in a span says whoever fills
//! it: live products ([`super::Exporter`]), and those who draw simulated requests.

use serde::{Serialize, Serializer};

/// `STATUS_CODE_ERROR` of OTLP.
const ERROR: u8 = 2;

/// All that is written at once.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    resource_spans: Vec<ResourceSpans>,
}

impl Traces {
    /// The spans of each resource.
    pub fn new(resources: impl IntoIterator<Item = ResourceSpans>) -> Self {
        Self { resource_spans: resources.into_iter().collect() }
    }

    /// In one line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("all keys are text")
    }
}

/// What one resource, a process as a rule, has to tell.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSpans {
    resource: Resource,
    scope_spans: [ScopeSpans; 1],
}

impl ResourceSpans {
    /// The `spans` of the resource that has these `attributes`.
    pub fn new(attributes: Vec<Attribute>, spans: Vec<Span>) -> Self {
        let scope = Scope { name: "hoplab", version: env!("CARGO_PKG_VERSION") };
        Self { resource: Resource { attributes }, scope_spans: [ScopeSpans { scope, spans }] }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Serialize)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

/// A span.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Likewise; `None` where the trace begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// What it is about.
    pub name: String,
    /// On which side of a call it stands.
    pub kind: Kind,
    /// When it began.
    pub start_time_unix_nano: UnixNanos,
    /// When it ended.
    pub end_time_unix_nano: UnixNanos,
    /// What there is to know of it.
    pub attributes: Vec<Attribute>,
    /// What happened meanwhile.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// How it ended.
    #[serde(skip_serializing_if = "Status::is_unset")]
    pub status: Status,
}

/// On which side of a call a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On neither.
    Internal = 1,
    /// It answers.
    Server = 2,
    /// It asks.
    Client = 3,
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// Nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixNanos(pub u128);

impl Serialize for UnixNanos {
    /// As text: JSON's numbers do not hold them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// What went well says nothing, as the conventions want it.
    Unset,
    /// With an error.
    Error,
}

impl Status {
    /// That of what failed or did not.
    pub fn of(failed: bool) -> Self {
        if failed { Self::Error } else { Self::Unset }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
    fn is_unset(&self) -> bool {
        *self == Self::Unset
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Code {
            code: u8,
        }
        let code = if self.is_unset() { 0 } else { ERROR };
        Code { code }.serialize(serializer)
    }
}

/// Something that happened while a span was under way.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub time_unix_nano: UnixNanos,
    /// What.
    pub name: String,
    /// What more there is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

/// Something to know, by its name.
#[derive(Debug, Clone, Serialize)]
pub struct Attribute {
    key: &'static str,
    value: Value,
}

#[derive(Debug, Clone, Serialize)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    /// 64 bits go as text in protobuf's JSON.
    #[serde(rename = "intValue")]
    Number(String),
    #[serde(rename = "boolValue")]
    Flag(bool),
}

/// An attribute that is text.
pub fn text(key: &'static str, value: impl Into<String>) -> Attribute {
    Attribute { key, value: Value::Text(value.into()) }
}

/// An attribute that is a number.
pub fn number(key: &'static str, value: impl Into<u64>) -> Attribute {
    Attribute { key, value: Value::Number(value.into().to_string()) }
}

/// An attribute that holds or not.
pub fn flag(key: &'static str, value: bool) -> Attribute {
    Attribute { key, value: Value::Flag(value) }
}

/// What is to know of an `endpoint`, `host:port`, that an attempt was sent to.
pub fn server(endpoint: &str) -> impl Iterator<Item = Attribute> {
    let parts = endpoint.rsplit_once(':');
    let host = parts.map(|(host, _)| text("server.address", host.trim_matches(['[', ']'])));
    let port = parts.and_then(|(_, port)| port.parse::<u64>().ok()).map(|port| number("server.port", port));
    host.into_iter().chain(port)
}

/// What is to know of an attempt that is the `place`th of its request, counted from 0.
pub fn resent(place: usize) -> Option<Attribute> {
    (place > 0).then(|| number("http.request.resend_count", place as u64))
}
