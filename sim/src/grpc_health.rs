//! gRPC's health checking protocol, as every service of a scenario answers it: it is serving, whichever service is
//! asked about. Not here: what makes it fail ([`crate::faults`]).

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::grpc;
use hoplab_proxy::telemetry::Fault;
use http::header::{CONTENT_TYPE, TRAILER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::StreamBody;

const PATH: &str = "/grpc.health.v1.Health/Check";

/// A `HealthCheckResponse` whose status is `SERVING`, behind its flag and its length.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 1 << 3, 1];

/// Whether a request asks for a service's health.
pub(crate) fn asks(head: &Parts) -> bool {
    head.method == Method::POST && head.uri.path() == PATH
}

/// The answer that it is well. Its length is not told, since over HTTP/1.1 (a sidecar asks its service so) only
/// chunked content has trailers, and they must be announced.
pub(crate) fn serving() -> Response<Body> {
    let trailers = HeaderMap::from_iter([(grpc::STATUS, HeaderValue::from_static("0"))]);
    let frames = [Frame::data(Bytes::from_static(SERVING)), Frame::trailers(trailers)];
    let content = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Fault>)));
    let mut response = Response::new(Body::boxed(content));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TRAILER, HeaderValue::from_static("grpc-status"));
    response
}
