//! The paths that routes are for: a path stands for itself and all below it. Owns no route. What a request's path is
//! before routes are looked up is said in `normal`.

mod normal;

pub use normal::{EscapedSlashes, Malformed, Normal, Paths, Slashes};

/// The path that `text` writes, without a slash at its end; `None` when it is none: not from the root, or with a query.
pub fn prefix(text: &str) -> Option<String> {
    let valid = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
    let trimmed = text.trim_end_matches('/');
    valid.then(|| if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
}

/// Whether `prefix` covers `path`, on the boundary of a segment: `/cart` covers `/cart` and `/cart/1`, not `/carts`.
pub fn covers(prefix: &str, path: &str) -> bool {
    // `OPTIONS *` asks about the server as a whole.
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_begins_at_the_root_and_has_no_query() {
        for (text, path) in [("/", "/"), ("/cart/", "/cart"), ("/a/b", "/a/b"), ("//", "/")] {
            assert_eq!(prefix(text).as_deref(), Some(path));
        }
        for text in ["", "cart", "/a b", "/a?b", "/a#b", "/ä"] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_covers_what_is_below_it_and_nothing_beside_it(
            prefix in "(/[a-z]{1,5}){1,3}",
            below in "(/[a-z]{0,5}){0,3}",
            letter in "[a-z]",
        ) {
            let below_it = format!("{prefix}{below}");
            let beside_it = format!("{prefix}{letter}{below}");
            prop_assert!(covers(&prefix, &below_it));
            prop_assert!(!covers(&prefix, &beside_it));
            prop_assert!(covers("/", &below_it));
        }
    }
}
