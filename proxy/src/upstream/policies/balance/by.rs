//! What consistent hashing tells requests apart by, as configuration writes it: `{ header = "x-user" }`,
//! `{ cookie = "session" }` or `"source"`.

use hoplab_config::form::{Describe, Form};
use hoplab_config::{Context, Place, Read, Value, table, way, wrong_type};
use http::header::HeaderName;

use crate::upstream::By;

const HINT: &str = "write `{ header = \"x-user\" }`, `{ cookie = \"session\" }` or `\"source\"`";

table! {
    /// What a table says: one of both.
    pub struct Written {
        /// The value of this header field.
        pub header: String as Header,
        /// The value of this cookie.
        pub cookie: String as Cookie,
    }
}

way!(Header: String, Form::Text { what: "a header field", example: "x-user" }, String::read);
way!(Cookie: String, Form::Text { what: "a cookie's name", example: "session" }, String::read);

impl Read for By {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if let Some(text) = value.get_ref().as_str() {
            if text == "source" {
                return Some(Self::Source);
            }
            context.error(place, format!("`{text}` tells no requests apart")).hint(HINT);
            return None;
        }
        if !value.get_ref().is_table() {
            wrong_type(value, place, ("what tells requests apart", HINT), context);
            return None;
        }
        let written = Written::read(value, place, context)?;
        let (fact, hint, place) = match (written.header, written.cookie) {
            (Some(name), None) => match name.value.parse::<HeaderName>() {
                Ok(name) => return Some(Self::Header(name)),
                Err(_) => (
                    format!("`{}` is no header field", name.value),
                    "write a name such as `x-user`",
                    name.place,
                ),
            },
            (None, Some(name)) if is_token(&name.value) => return Some(Self::Cookie(name.value)),
            (None, Some(name)) => {
                (format!("`{}` is no cookie's name", name.value), "write one such as `session`", name.place)
            }
            _ => ("one of `header` and `cookie` tells requests apart".to_owned(), HINT, place),
        };
        context.error(place, fact).hint(hint);
        None
    }
}

impl Describe for By {
    fn form() -> Form {
        let source = Form::Text {
            what: "the caller's address; at a gateway behind `trusted` hops, the client's",
            example: "source",
        };
        Form::Either(vec![Written::form(), source])
    }
}

/// Whether `name` is a token (RFC 9110, section 5.6.2), as cookies' names and header fields are.
fn is_token(name: &str) -> bool {
    name.parse::<HeaderName>().is_ok()
}
