//! What consistent hashing tells requests apart by: the value of a header field, a cookie, or who sends them. A request
//! without it has no key, and may go anywhere.

use std::net::IpAddr;

use http::header::{COOKIE, HeaderMap, HeaderName};

use crate::headers;
use crate::policy::balance;

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The value of this header field, of all its lines.
    Header(HeaderName),
    /// The value of this cookie.
    Cookie(String),
    /// The address that the request came from.
    Source,
}

impl By {
    /// The key of a request with these `fields` from `source`.
    pub(super) fn key(&self, fields: &HeaderMap, source: Option<IpAddr>) -> Option<u64> {
        match self {
            Self::Header(name) => headers::value(fields, name).map(|value| balance::key(&value)),
            Self::Cookie(name) => cookie(fields, name).map(balance::key),
            Self::Source => Some(match source? {
                IpAddr::V4(address) => balance::key(&address.octets()),
                IpAddr::V6(address) => balance::key(&address.octets()),
            }),
        }
    }
}

/// The value of the cookie `name` (RFC 6265, section 4.2.1; HTTP/2 may spread them over several fields).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = headers.get_all(COOKIE).into_iter().flat_map(|field| field.as_bytes().split(|b| *b == b';'));
    pairs
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let equals = pair.iter().position(|b| *b == b'=')?;
            Some((&pair[..equals], &pair[equals + 1..]))
        })
        .find_map(|(known, value)| (known == name.as_bytes()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_is_that_of_the_value_alone() {
        let by = By::Header(HeaderName::from_static("x-user"));
        let key = |by: &By, fields: &[(&'static str, &str)]| by.key(&map(fields), None);
        assert_eq!(key(&by, &[("x-user", "ann"), ("x-other", "1")]), Some(balance::key(b"ann")));
        assert_eq!(key(&by, &[("x-other", "ann")]), None);
        let mut two = map(&[("x-user", "bob")]);
        two.append("x-user", "ann".parse().unwrap());
        assert_eq!(by.key(&two, None), Some(balance::key(b"bob, ann")), "all lines are the field");
        let by = By::Cookie("session".to_owned());
        let ann = Some(balance::key(b"ann"));
        assert_eq!(key(&by, &[("cookie", "session=ann")]), ann);
        assert_eq!(key(&by, &[("cookie", "a=b; session=ann;c=d")]), ann);
        assert_eq!(key(&by, &[("cookie", "xsession=bob; sessions=bob; session")]), None);
        let mut two = map(&[("cookie", "a=b")]);
        two.append(COOKIE, "session=ann".parse().unwrap());
        assert_eq!(by.key(&two, None), ann, "HTTP/2 may split them");
    }

    #[test]
    fn a_source_is_an_address_without_its_port() {
        let key = |source: &str| By::Source.key(&HeaderMap::new(), Some(source.parse().unwrap()));
        assert_eq!(key("10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
        assert_ne!(key("::1"), key("::2"));
        assert_eq!(By::Source.key(&HeaderMap::new(), None), None);
    }
}
