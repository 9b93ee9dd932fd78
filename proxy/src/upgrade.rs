//! Upgrades: a request for another protocol, a WebSocket as a rule, which is passed on, and the bytes of both sides once
//! they have agreed on it (RFC 9110, 7.8; over HTTP/2 extended CONNECT, RFC 8441).
//!
//! A server that reads such a request puts an [`Upgrade`] into its extensions; the forwarder notes it in the exchange,
//! and whoever asks the upstream finds it there. The request is a GET without content, whatever version it came in and
//! leaves in; an upstream's consent is 101 with `Upgrade`; content that follows is bytes as they are. What differs
//! between versions is translated here. Not here: who owns the bytes that pass ([`crate::upstream`]), and who moves them
//! ([`bytes`]).

pub(crate) mod bytes;
mod websocket;

use std::sync::{Mutex, PoisonError};

use h2::Reason;
use h2::ext::Protocol;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, response};
use http_body::{Body as _, SizeHint};

use crate::body::Body;
use crate::handover::{Giver, handover};
use crate::headers::members;
use crate::telemetry::Fault;

/// Protocols by which HTTP itself would go on behind the back of who passes the upgrade on, and with it requests that no
/// route, limit or policy has seen. Their offer is ignored, as RFC 9110 allows and RFC 9113, 3.1, demands for `h2c`.
const NOT_PASSED: [&str; 5] = ["h2", "h2c", "h3", "http", "tls"];

const UPGRADING: HeaderValue = HeaderValue::from_static("Upgrade");

/// A request for another protocol, and the caller's end of what follows.
#[derive(Debug)]
pub(crate) struct Upgrade {
    /// What the caller offers, as far as it is passed on, what it likes best first.
    protocols: Vec<HeaderValue>,
    caller: Caller,
    /// What the caller says once both sides have agreed.
    content: Mutex<Body>,
}

/// How the caller asks.
#[derive(Debug)]
enum Caller {
    /// With `Upgrade`; a WebSocket with a key, which the answer must prove to have seen.
    Http1 { key: Option<HeaderValue> },
    /// With extended CONNECT.
    Http2,
}

impl Upgrade {
    /// What a request over HTTP/1.1 asks for, and who is to give the bytes that follow. Ignored is an offer of HTTP/1.0, one
    /// that `Connection` does not name (RFC 9110, 7.8), one that comes with content or another method than GET, which
    /// extended CONNECT could not say, and one of [`NOT_PASSED`] alone.
    pub(crate) fn of_http1(head: &mut Parts, content: &Body) -> Option<(Self, Giver)> {
        if !head.headers.contains_key(UPGRADE) {
            return None;
        }
        let is_asked = head.version == Version::HTTP_11
            && head.method == Method::GET
            && content.is_end_stream()
            && members(&head.headers, &CONNECTION).any(|member| member.eq_ignore_ascii_case(b"upgrade"));
        let offered = members(&head.headers, &UPGRADE).filter(|protocol| is_passed(protocol));
        let protocols: Vec<_> = offered.filter_map(|name| HeaderValue::from_bytes(name).ok()).collect();
        if !is_asked || protocols.is_empty() {
            return None;
        }
        head.headers.remove(CONTENT_LENGTH);
        let key = head.headers.get(SEC_WEBSOCKET_KEY).cloned();
        let (giver, taker) = handover(SizeHint::default(), 0);
        let content = Mutex::new(Body::handed(taker));
        Some((Self { protocols, caller: Caller::Http1 { key }, content }, giver))
    }

    /// What an extended CONNECT asks for, of which `head` becomes the request that HTTP/1.1 would have. `None` for a
    /// CONNECT that is none, or that asks for what is not passed on.
    pub(crate) fn of_http2(head: &mut Parts) -> Option<Self> {
        let protocol = head.extensions.get::<Protocol>()?.as_str();
        let protocol = HeaderValue::from_str(protocol).ok().filter(|name| is_passed(name.as_bytes()))?;
        head.method = Method::GET;
        for name in [CONTENT_LENGTH, SEC_WEBSOCKET_KEY] {
            head.headers.remove(name);
        }
        Some(Self { protocols: vec![protocol], caller: Caller::Http2, content: Mutex::default() })
    }

    /// The bytes that the caller sends once both have agreed; they are there but once.
    pub(crate) fn take_content(&self) -> Body {
        std::mem::take(&mut *self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same bytes come from `content` from here on.
    pub(crate) fn put_content(&self, content: Body) {
        *self.content.lock().unwrap_or_else(PoisonError::into_inner) = content;
    }

    /// Whether it is a WebSocket that lacks what only HTTP/1.1 can tell the upstream of, so that it cannot be refused there.
    pub(crate) fn lacks_key(&self) -> bool {
        matches!(self.caller, Caller::Http1 { key: None }) && self.is_for_websocket()
    }

    /// Whether the caller speaks HTTP/2, and takes any 2xx for consent.
    pub(crate) fn is_by_http2(&self) -> bool {
        matches!(self.caller, Caller::Http2)
    }

    /// What an HTTP/2 caller is told when the tunnel fails: of a WebSocket it hears as if it had gone away itself (RFC 8441,
    /// 5), of others as of any CONNECT (RFC 9113, 8.5).
    pub(crate) fn reset_reason(&self) -> Reason {
        if self.is_for_websocket() { Reason::CANCEL } else { Reason::CONNECT_ERROR }
    }

    /// Asks over HTTP/1.1. A WebSocket needs a key: where the caller has none, `nonce` becomes one.
    pub(crate) fn ask_http1(&self, headers: &mut HeaderMap, nonce: impl FnOnce() -> [u8; 16]) {
        // `Connection` names nothing else; what asks for trailers asks in vain.
        headers.remove(TE);
        headers.insert(CONNECTION, UPGRADING);
        let offer = self.protocols.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
        if let Ok(offer) = HeaderValue::from_bytes(&offer) {
            headers.insert(UPGRADE, offer);
        }
        if self.is_by_http2() && self.is_for_websocket() {
            headers.insert(SEC_WEBSOCKET_KEY, websocket::key(nonce()));
        }
    }

    /// Asks over HTTP/2, for what the caller likes best.
    pub(crate) fn ask_http2(&self, request: &mut Request<Body>) {
        *request.method_mut() = Method::CONNECT;
        for name in [SEC_WEBSOCKET_KEY, TE] {
            request.headers_mut().remove(name);
        }
        if let Some(protocol) = self.asked().to_str().ok().map(Protocol::from) {
            request.extensions_mut().insert(protocol);
        }
    }

    /// What the answer to an HTTP/1.1 request with `headers` must prove to have seen, where nobody else asks for that.
    pub(crate) fn proof(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let key = headers.get(SEC_WEBSOCKET_KEY)?;
        (self.is_by_http2() && self.is_for_websocket()).then(|| websocket::accept(key))
    }

    /// Checks an HTTP/1.1 upstream's 101: only what was offered can be agreed on (RFC 9110, 7.8).
    pub(crate) fn check(&self, answer: &HeaderMap, proof: Option<&HeaderValue>) -> Result<(), Fault> {
        let is_offered = |agreed: &[u8]| {
            self.protocols.iter().any(|offered| offered.as_bytes().eq_ignore_ascii_case(agreed))
        };
        let mut agreed = members(answer, &UPGRADE).peekable();
        let is_agreed = agreed.peek().is_some() && agreed.all(is_offered);
        let is_proven = proof.is_none() || answer.get(SEC_WEBSOCKET_ACCEPT) == proof;
        if is_agreed && is_proven { Ok(()) } else { Err(Fault::ProtocolError) }
    }

    /// What an HTTP/2 upstream's consent would be over HTTP/1.1.
    pub(crate) fn translate_consent(&self, answer: &mut response::Parts) {
        answer.status = StatusCode::SWITCHING_PROTOCOLS;
        answer.headers.remove(SEC_WEBSOCKET_ACCEPT);
        answer.headers.insert(UPGRADE, self.asked().clone());
    }

    /// Tells the caller of the upstream's consent to `agreed`, which is what its `Upgrade` said. The answer has no content,
    /// and so no framing (RFC 9110, 8.6 and 9.3.6).
    pub(crate) fn tell(&self, answer: &mut response::Parts, agreed: HeaderValue) {
        answer.headers.remove(CONTENT_LENGTH);
        answer.headers.remove(TRANSFER_ENCODING);
        match &self.caller {
            Caller::Http1 { key } => {
                answer.status = StatusCode::SWITCHING_PROTOCOLS;
                answer.headers.insert(CONNECTION, UPGRADING);
                answer.headers.insert(UPGRADE, agreed);
                if let Some(key) = key.as_ref().filter(|_| self.is_for_websocket()) {
                    let accept = || websocket::accept(key);
                    answer.headers.entry(SEC_WEBSOCKET_ACCEPT).or_insert_with(accept);
                }
            }
            Caller::Http2 => {
                answer.status = StatusCode::OK;
                answer.headers.remove(SEC_WEBSOCKET_ACCEPT);
            }
        }
    }

    /// What is asked for where only one protocol can be.
    fn asked(&self) -> &HeaderValue {
        &self.protocols[0]
    }

    fn is_for_websocket(&self) -> bool {
        self.asked().as_bytes().eq_ignore_ascii_case(b"websocket")
    }
}

/// Whether a request for `protocol` is passed on: a name, maybe with a version, of what is not HTTP.
fn is_passed(protocol: &[u8]) -> bool {
    let mut parts = protocol.split(|byte| *byte == b'/');
    let name = parts.next().unwrap_or_default();
    let is_token = |part: &[u8]| !part.is_empty() && part.iter().all(|byte| is_of_token(*byte));
    let is_http = NOT_PASSED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    is_token(name) && parts.next().is_none_or(is_token) && parts.next().is_none() && !is_http
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(version: Version, method: Method, fields: &[(&str, &str)], content: &Body) -> Vec<String> {
        let mut request = Request::builder().version(version).method(method);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let upgrade = Upgrade::of_http1(&mut head, content).map(|(upgrade, _)| upgrade);
        let protocols = upgrade.into_iter().flat_map(|upgrade| upgrade.protocols);
        protocols.map(|protocol| protocol.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_asked_for_properly_is_passed_on() {
        let connection = ("connection", "keep-alive, Upgrade");
        for (upgrade, passed) in [
            (&["websocket"][..], &["websocket"][..]),
            (&["WebSocket, h2c", "IRC/6.9"], &["WebSocket", "IRC/6.9"]),
            (&["h2c"], &[]),
            (&["H2c, TLS/1.0, HTTP/2.0"], &[]),
            (&["a b, /1, x/, x/1/2, \"y\""], &[]),
            (&[""], &[]),
        ] {
            let mut fields = vec![connection];
            fields.extend(upgrade.iter().map(|value| ("upgrade", *value)));
            assert_eq!(
                offered(Version::HTTP_11, Method::GET, &fields, &Body::empty()),
                passed,
                "{upgrade:?}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_otherwise_is_ignored() {
        let websocket = ("upgrade", "websocket");
        let named = [("connection", "upgrade"), websocket];
        let empty = Body::empty();
        assert_eq!(offered(Version::HTTP_11, Method::GET, &named, &empty).len(), 1);
        assert!(offered(Version::HTTP_10, Method::GET, &named, &empty).is_empty());
        assert!(offered(Version::HTTP_11, Method::POST, &named, &empty).is_empty());
        assert!(
            offered(Version::HTTP_11, Method::GET, &named, &Body::from(::bytes::Bytes::from("x"))).is_empty()
        );
        assert!(offered(Version::HTTP_11, Method::GET, &[websocket], &empty).is_empty());
        assert!(
            offered(Version::HTTP_11, Method::GET, &[("connection", "close"), websocket], &empty).is_empty()
        );
    }

    #[test]
    fn only_what_was_offered_can_be_agreed_on() {
        let upgrade = Upgrade {
            protocols: vec![HeaderValue::from_static("websocket"), HeaderValue::from_static("irc/6")],
            caller: Caller::Http2,
            content: Mutex::default(),
        };
        let check = |agreed: &[&'static str]| {
            let mut answer = HeaderMap::new();
            for value in agreed {
                answer.append(UPGRADE, HeaderValue::from_static(value));
            }
            upgrade.check(&answer, None)
        };
        assert_eq!(check(&["WebSocket"]), Ok(()));
        assert_eq!(check(&["irc/6"]), Ok(()));
        for agreed in [&[][..], &[""], &["irc/7"], &["websocket", "x"], &["h2c"]] {
            assert_eq!(check(agreed), Err(Fault::ProtocolError), "{agreed:?}");
        }
    }
}
