//! What a text is that is not TOML, as far as its first lines tell: people bring the YAML of a mesh, the JSON of an API,
//! or the wrong file. Reads none of these formats.

use std::ops::Range;

/// A format that is not ours.
pub(crate) struct Format {
    /// What it is called: `YAML`.
    pub(crate) name: &'static str,
    /// Where the text shows it.
    pub(crate) place: Range<usize>,
    /// What to do about it.
    pub(crate) hint: &'static str,
}

const YAML: &str =
    "write `key = value`, and tables as `[name]`; config/README.md and scenarios/README.md have each key";
const JSON: &str = "write `key = value`, and tables as `[name]` or `{ key = value }`";
const PEM: &str = "name it in a file of configuration, such as `certificate = \"order.pem\"`";
const XML: &str = "hoplab's files are TOML: `key = value` below headers such as `[upstreams.cart]`";

/// The format of a `text` that is not TOML; `None` when it may be TOML with mistakes.
pub(crate) fn format(text: &str) -> Option<Format> {
    let mut start = 0;
    let mut yaml = None;
    for line in text.split_inclusive('\n') {
        let (bare, here) = (line.trim(), start + (line.len() - line.trim_start().len()));
        start += line.len();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let of = |name, hint| Some(Format { name, place: here..here + bare.len(), hint });
        let is_first = yaml.is_none();
        if is_first && bare.starts_with("-----BEGIN ") {
            return of("a PEM file", PEM);
        }
        if is_first && bare.starts_with('<') {
            return of("XML or HTML", XML);
        }
        if is_first && (bare.starts_with('{') || bare == "[" || bare.starts_with("[{")) {
            return of("JSON", JSON);
        }
        // One line of TOML is enough to take the rest for mistakes.
        if !is_yaml(bare) {
            return None;
        }
        yaml = yaml.or_else(|| of("YAML", YAML));
        if bare.contains('=') {
            return None;
        }
    }
    yaml
}

/// Whether a line is one of YAML and none of TOML: `key: value`, `- item`, `---`.
fn is_yaml(line: &str) -> bool {
    let item = line == "-" || line.starts_with("- ") || line.starts_with("---") || line == "...";
    let key = line.split_once(':').is_some_and(|(key, rest)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '"' | '\'');
        !key.is_empty() && key.chars().all(is_word) && (rest.is_empty() || rest.starts_with(' '))
    });
    item || key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_lines() {
        for (text, name) in [
            ("# a mesh\napiVersion: v1\nkind: VirtualService\nspec:\n  hosts:\n  - reviews\n", Some("YAML")),
            ("---\nservices:\n", Some("YAML")),
            ("- name: a\n", Some("YAML")),
            ("\n{\n  \"listen\": 8080\n}\n", Some("JSON")),
            ("[\n  1\n]", Some("JSON")),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n", Some("a PEM file")),
            ("<html>", Some("XML or HTML")),
            ("listen = 0.0.0.0:8080\n", None),
            ("[upstreams.cart]\nendpoints: [\"cart:80\"]\n", None),
            ("timeout: 1s\nretry = 3\n", None),
            ("", None),
        ] {
            assert_eq!(format(text).map(|format| format.name), name, "{text}");
        }
        let text = "# a\n  kind: x\n";
        assert_eq!(&text[format(text).unwrap().place], "kind: x");
    }
}
