//! The normal form of a request's path (RFC 3986, 5.2.4 and 6.2.2), so that there is one way to write a path and what
//! routes are looked up by is what is sent. Owns no route and touches no query.
//!
//! Always: dot segments are removed, also those that are written in escapes; unreserved characters stand as they are,
//! what may not stand in a path is escaped, and escapes are in upper case. By [`Normal`]'s choice: what becomes of doubled
//! slashes, and of slashes and backslashes in escapes. An escape that is none, and that of NUL, is malformed.

use std::borrow::Cow;

use hoplab_config::form::{Describe, Form};
use hoplab_config::{Choice, Context, Place, Read, Value, table, wrong_type};
use http::Uri;
use http::uri::PathAndQuery;

/// How paths are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// In their normal form, and so they are sent.
    Normal(Normal),
    /// As they are. There are other ways to write each path, which routes and their limits do not know.
    AsTheyAre,
}

/// What the standard leaves open about the normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Normal {
    /// What becomes of slashes that follow each other.
    pub slashes: Slashes,
    /// What becomes of `%2F` and `%5C`, and of a bare backslash, which is no character of a path.
    pub escaped_slashes: EscapedSlashes,
}

/// What becomes of slashes that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slashes {
    /// They are one (nginx's and Envoy's `merge_slashes`).
    #[default]
    Merge,
    /// There are empty segments between them.
    Keep,
}

/// What becomes of slashes and backslashes in escapes (Envoy's `path_with_escaped_slashes_action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EscapedSlashes {
    /// They belong to their segment, as for the standard. Where a dot segment would come out if they were decoded, which
    /// some services do, the path is malformed.
    #[default]
    Keep,
    /// The path is malformed.
    Refuse,
    /// They are slashes.
    Decode,
}

/// A path that cannot be brought into its normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path is malformed")]
pub struct Malformed;

impl Default for Paths {
    fn default() -> Self {
        Self::Normal(Normal::default())
    }
}

impl Paths {
    /// Brings the path of `uri` into the form in which it is looked up and sent. The query stays as it is, and so does
    /// the `*` of OPTIONS.
    pub fn settle(self, uri: &mut Uri) -> Result<(), Malformed> {
        let Cow::Owned(mut text) = self.read(uri.path())? else { return Ok(()) };
        if let Some(query) = uri.query() {
            text.push('?');
            text.push_str(query);
        }
        *uri = Uri::from(PathAndQuery::try_from(text).map_err(|_| Malformed)?);
        Ok(())
    }

    /// `path` in the form in which it is looked up.
    pub fn read(self, path: &str) -> Result<Cow<'_, str>, Malformed> {
        match self {
            Self::Normal(normal) if path.starts_with('/') && !normal.holds(path) => normal.form(path),
            _ => Ok(Cow::Borrowed(path)),
        }
    }
}

impl Normal {
    /// Whether `path` is at once seen to be in its normal form, as nearly all are.
    fn holds(self, path: &str) -> bool {
        let mut before = 0;
        path.bytes().all(|byte| {
            let begins = std::mem::replace(&mut before, byte) == b'/';
            match byte {
                b'/' => !begins || self.slashes == Slashes::Keep,
                b'.' => !begins,
                _ => is_path_character(byte),
            }
        })
    }

    fn form(self, path: &str) -> Result<Cow<'_, str>, Malformed> {
        let mut written = Written::new(self.slashes, path.len());
        let mut bytes = path.bytes().skip(1);
        while let Some(byte) = bytes.next() {
            let (byte, is_escaped) =
                if byte == b'%' { (unescaped(&mut bytes)?, true) } else { (byte, false) };
            match byte {
                0 => return Err(Malformed),
                b'/' if !is_escaped => written.end_segment(false)?,
                b'/' | b'\\' => match self.escaped_slashes {
                    EscapedSlashes::Keep => written.escaped_slash(byte)?,
                    EscapedSlashes::Refuse => return Err(Malformed),
                    EscapedSlashes::Decode => written.end_segment(false)?,
                },
                _ if is_unreserved(byte) || (!is_escaped && is_path_character(byte)) => {
                    written.text.push(char::from(byte));
                }
                _ => written.escape(byte),
            }
        }
        written.end_segment(true)?;
        Ok(if written.text == path { Cow::Borrowed(path) } else { Cow::Owned(written.text) })
    }
}

/// A path that is being written, segment by segment. What stands before the one that is being written ends in a slash.
struct Written {
    slashes: Slashes,
    text: String,
    /// Where the segment begins.
    segment: usize,
    /// Where what follows its last escaped slash begins, or the segment itself.
    piece: usize,
}

impl Written {
    fn new(slashes: Slashes, length: usize) -> Self {
        let mut text = String::with_capacity(length);
        text.push('/');
        Self { slashes, text, segment: 1, piece: 1 }
    }

    fn end_segment(&mut self, is_last: bool) -> Result<(), Malformed> {
        if self.piece > self.segment {
            self.end_piece()?;
        }
        match &self.text[self.segment..] {
            "." => self.text.truncate(self.segment),
            ".." => {
                // The root is above itself.
                let above = self.text[..self.segment - 1].rfind('/').unwrap_or(0);
                self.text.truncate(above + 1);
            }
            "" if self.slashes == Slashes::Merge => {}
            _ if is_last => {}
            _ => self.text.push('/'),
        }
        (self.segment, self.piece) = (self.text.len(), self.text.len());
        Ok(())
    }

    fn escaped_slash(&mut self, byte: u8) -> Result<(), Malformed> {
        self.end_piece()?;
        self.escape(byte);
        self.piece = self.text.len();
        Ok(())
    }

    /// No part of a segment with escaped slashes may look like a dot segment.
    fn end_piece(&self) -> Result<(), Malformed> {
        if matches!(&self.text[self.piece..], "." | "..") { Err(Malformed) } else { Ok(()) }
    }

    fn escape(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.text.push('%');
        self.text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        self.text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// The byte whose two digits come next.
fn unescaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, Malformed> {
    let mut digit = || match bytes.next() {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(Malformed),
    };
    Ok(digit()? << 4 | digit()?)
}

/// RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a segment as it is (RFC 3986, 3.3: `pchar`).
fn is_path_character(byte: u8) -> bool {
    const RESERVED: &[u8] = b"!$&'()*+,;=:@";
    is_unreserved(byte) || RESERVED.contains(&byte)
}

impl Choice for Slashes {
    const NOUN: &'static str = "way with slashes";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Merge, "merge", "those that follow each other are one"),
        (Self::Keep, "keep", "there are empty segments between them"),
    ];
}

impl Choice for EscapedSlashes {
    const NOUN: &'static str = "way with escaped slashes";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Keep,
            "keep",
            "they belong to their segment; what would be a dot segment if they were decoded (`/x%2F..%2Fadmin`) is \
             refused with 400",
        ),
        (Self::Refuse, "refuse", "they are refused with 400"),
        (Self::Decode, "decode", "they are slashes"),
    ];
}

table! {
    /// What the standard leaves open about the normal form.
    pub struct Keys {
        /// What becomes of slashes that follow each other.
        pub slashes: Slashes = "`\"merge\"`",
        /// What becomes of `%2F` and `%5C`, and of backslashes, which are taken for `%5C`.
        pub escaped_slashes: EscapedSlashes = "`\"keep\"`",
    }
}

impl Read for Paths {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const HINT: &str = "write `\"normal\"`, `\"as-they-are\"` or, say, `{ slashes = \"keep\" }`";
        match value.get_ref().as_str() {
            Some("normal") => return Some(Self::default()),
            Some("as-they-are") => return Some(Self::AsTheyAre),
            Some(other) => {
                context.error(place, format!("paths cannot be read as `{other}`")).hint(HINT);
                return None;
            }
            None if value.get_ref().is_table() => {}
            None => {
                wrong_type(value, place, ("a way to read paths", HINT), context);
                return None;
            }
        }
        let written = Keys::read(value, place, context)?;
        Some(Self::Normal(Normal {
            slashes: written.slashes.map(|at| at.value).unwrap_or_default(),
            escaped_slashes: written.escaped_slashes.map(|at| at.value).unwrap_or_default(),
        }))
    }
}

impl Describe for Paths {
    fn form() -> Form {
        let normal = Form::Text { what: "the normal form, with the defaults below", example: "normal" };
        let raw = Form::Text { what: "as they came", example: "as-they-are" };
        Form::Either(vec![normal, raw, Keys::form()])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MERGE: Normal = Normal { slashes: Slashes::Merge, escaped_slashes: EscapedSlashes::Keep };
    const EMPTY: Normal = Normal { slashes: Slashes::Keep, ..MERGE };
    const REFUSE: Normal = Normal { escaped_slashes: EscapedSlashes::Refuse, ..MERGE };
    const DECODE: Normal = Normal { escaped_slashes: EscapedSlashes::Decode, ..MERGE };

    fn read(normal: Normal, path: &str) -> Option<String> {
        Paths::Normal(normal).read(path).ok().map(Cow::into_owned)
    }

    #[test]
    fn dot_segments_are_removed_however_they_are_written() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/./b/", "/a/b/"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/x/%2e%2e/admin", "/admin"),
            ("/x/.%2E/admin", "/admin"),
            ("/%2e/admin", "/admin"),
            ("/.well-known/...", "/.well-known/..."),
            ("/a..b/..c/d..", "/a..b/..c/d.."),
        ] {
            for rule in [MERGE, EMPTY, REFUSE, DECODE] {
                assert_eq!(read(rule, path).as_deref(), Some(normal), "{path}");
            }
        }
    }

    #[test]
    fn escapes_have_one_form() {
        for (path, normal) in [
            ("/%61dmin", "/admin"),
            ("/%7Ea%2D%5f", "/~a-_"),
            ("/a%20b%c3%a4", "/a%20b%C3%A4"),
            ("/ä\"^`{|}<>", "/%C3%A4%22%5E%60%7B%7C%7D%3C%3E"),
            ("/%40@%3B;%2B+%25", "/%40@%3B;%2B+%25"),
            ("/%252e%252e/a", "/%252e%252e/a"),
            ("/a%3Fb%23c", "/a%3Fb%23c"),
        ] {
            assert_eq!(read(MERGE, path).as_deref(), Some(normal), "{path}");
        }
        for path in ["/%zz", "/%", "/%2", "/%2x", "/a%00b", "/%+1", "/%%41"] {
            assert_eq!(read(MERGE, path), None, "{path}");
            assert_eq!(Paths::AsTheyAre.read(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn doubled_slashes_are_merged_or_kept() {
        for (path, merged, kept) in [
            ("//admin", "/admin", "//admin"),
            ("/a///b//", "/a/b/", "/a///b//"),
            ("/a//../b", "/b", "/a/b"),
            ("/a//./b", "/a/b", "/a//b"),
            ("//", "/", "//"),
        ] {
            assert_eq!(read(MERGE, path).as_deref(), Some(merged), "{path}");
            assert_eq!(read(EMPTY, path).as_deref(), Some(kept), "{path}");
        }
    }

    #[test]
    fn escaped_slashes_are_kept_refused_or_decoded() {
        for (path, kept, decoded) in [
            ("/a%2fb%5cc\\d", Some("/a%2Fb%5Cc%5Cd"), Some("/a/b/c/d")),
            ("/%2F%2f", Some("/%2F%2F"), Some("/")),
            ("/x%2F..%2fadmin", None, Some("/admin")),
            ("/x/..%5cadmin", None, Some("/admin")),
            ("/x\\%2e%2e\\admin", None, Some("/admin")),
            ("/x%2f.", None, Some("/x/")),
            ("/x%2F../admin", None, Some("/admin")),
            ("/x%2f.well-known", Some("/x%2F.well-known"), Some("/x/.well-known")),
        ] {
            assert_eq!(read(MERGE, path).as_deref(), kept, "{path}");
            assert_eq!(read(DECODE, path).as_deref(), decoded, "{path}");
            assert_eq!(read(REFUSE, path), None, "{path}");
        }
    }

    #[test]
    fn a_target_keeps_its_query() {
        let settled = |text: &str| {
            let mut uri: Uri = text.parse().unwrap();
            Paths::default().settle(&mut uri).map(|()| uri.to_string())
        };
        assert_eq!(settled("/a/../b?c=/../%61//%zz").as_deref(), Ok("/b?c=/../%61//%zz"));
        assert_eq!(settled("/a/..?").as_deref(), Ok("/?"));
        assert_eq!(settled("*").as_deref(), Ok("*"));
        assert_eq!(settled("/%zz?a"), Err(Malformed));
    }

    #[test]
    fn a_file_says_how_paths_are_read() {
        let read =
            |text: &str| hoplab_config::read_value(text).map_err(|problems| problems.in_words().join("; "));
        assert_eq!(read("\"normal\""), Ok(Paths::default()));
        assert_eq!(read("\"as-they-are\""), Ok(Paths::AsTheyAre));
        assert_eq!(read("{}"), Ok(Paths::default()));
        assert_eq!(read("{ slashes = \"keep\" }"), Ok(Paths::Normal(EMPTY)));
        assert_eq!(read("{ escaped_slashes = \"refuse\" }"), Ok(Paths::Normal(REFUSE)));
        for (text, complaint) in [
            (
                "\"raw\"",
                "paths cannot be read as `raw`: write `\"normal\"`, `\"as-they-are\"` or, say, `{ slashes = \"keep\" }`",
            ),
            ("{ dots = \"keep\" }", "unknown key \"dots\": there are \"slashes\", \"escaped_slashes\""),
            ("{ slashes = \"drop\" }", "unknown way with slashes \"drop\": there are \"merge\", \"keep\""),
            (
                "1",
                "a whole number where a way to read paths belongs: write `\"normal\"`, `\"as-they-are\"` or, say, `{ slashes = \"keep\" }`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    fn any_rule() -> impl Strategy<Value = Normal> {
        let slashes = prop_oneof![Just(Slashes::Merge), Just(Slashes::Keep)];
        let escaped = prop_oneof![
            Just(EscapedSlashes::Keep),
            Just(EscapedSlashes::Refuse),
            Just(EscapedSlashes::Decode)
        ];
        (slashes, escaped).prop_map(|(slashes, escaped_slashes)| Normal { slashes, escaped_slashes })
    }

    /// Paths of what normalising is about.
    fn any_path() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("/"),
            Just("/"),
            Just("."),
            Just(".."),
            Just("%2e"),
            Just("%2E"),
            Just("%2f"),
            Just("%5C"),
            Just("\\"),
            Just("%61"),
            Just("a"),
            Just("%"),
            Just("%25"),
            Just("%00"),
            Just("ä"),
            Just("%c3"),
            Just("@"),
            Just("%40"),
            Just(";"),
            Just("2"),
            Just("e"),
        ];
        proptest::collection::vec(part, 0..16).prop_map(|parts| format!("/{}", parts.concat()))
    }

    /// One of the ways to write `path`.
    fn rewritten(path: &str, ways: &[u8]) -> String {
        let mut ways = ways.iter().cycle();
        let mut way = || ways.next().copied().unwrap_or(0);
        let mut text = String::new();
        for byte in path.bytes() {
            match (byte, way() % 6) {
                (b'/', 0) => text.push_str("//"),
                (b'/', 1) => text.push_str("/./"),
                (b'/', 2) => text.push_str("/x/../"),
                (b'/', 3) => text.push_str("/%2E/y/.%2e//"),
                (b'/', _) => text.push('/'),
                (byte, 0..=1) => text.extend([format!("%{byte:02x}")]),
                (byte, 2) => text.extend([format!("%{byte:02X}")]),
                (byte, _) => text.push(char::from(byte)),
            }
        }
        text
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(rule in any_rule(), path in any_path()) {
            if let Some(once) = read(rule, &path) {
                prop_assert_eq!(read(rule, &once), Some(once));
            }
        }

        #[test]
        fn a_normalised_path_has_no_dot_segment(rule in any_rule(), path in any_path()) {
            if let Some(normal) = read(rule, &path) {
                prop_assert!(normal.starts_with('/') && normal.is_ascii());
                let decoded = normal.replace("%2F", "/").replace("%5C", "/");
                prop_assert!(decoded.split('/').all(|part| part != "." && part != ".."), "{}", normal);
                prop_assert!(rule.slashes == Slashes::Keep || !normal.contains("//"), "{}", normal);
            }
        }

        #[test]
        fn no_way_to_write_a_path_goes_past_it(
            path in "(/[a-zA-Z0-9._~-]{0,2}[a-z]){1,4}",
            ways in proptest::collection::vec(any::<u8>(), 1..32),
        ) {
            let text = rewritten(&path, &ways);
            for rule in [MERGE, REFUSE, DECODE] {
                prop_assert_eq!(read(rule, &text), Some(path.clone()), "{}", text);
            }
        }

        #[test]
        fn no_path_panics(rule in any_rule(), path in "/\\PC*") {
            let _ = read(rule, &path);
        }
    }
}
