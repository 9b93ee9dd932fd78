//! What consistent hashing tells requests apart by, as configuration writes it: `{ header = "x-user" }`,
//! `{ cookie = "session" }` or `"source"`.

use std::fmt;

use http::header::HeaderName;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use crate::upstream::By;

const HINT: &str = "write `{ header = \"x-user\" }`, `{ cookie = \"session\" }` or `\"source\"`";

/// What a table says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    header: Option<String>,
    cookie: Option<String>,
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = By;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ header = \"x-user\" }, { cookie = \"session\" } or \"source\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<By, E> {
        match text {
            "source" => Ok(By::Source),
            _ => Err(E::custom(format!("`{text}` tells no requests apart: {HINT}"))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<By, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        match (written.header, written.cookie) {
            (Some(name), None) => name.parse::<HeaderName>().map(By::Header).map_err(|_| {
                de::Error::custom(format!("`{name}` is no header field: write a name such as `x-user`"))
            }),
            (None, Some(name)) if is_token(&name) => Ok(By::Cookie(name)),
            (None, Some(name)) => {
                Err(de::Error::custom(format!("`{name}` is no cookie's name: write one such as `session`")))
            }
            _ => Err(de::Error::custom(format!("one of `header` and `cookie` tells requests apart: {HINT}"))),
        }
    }
}

/// Whether `name` is a token (RFC 9110, section 5.6.2), as cookies' names and header fields are.
fn is_token(name: &str) -> bool {
    name.parse::<HeaderName>().is_ok()
}
