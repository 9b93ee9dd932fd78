//! What to do about text that is not quite TOML, as far as its line tells.

/// The way out of a mistake at `byte` of `text`, of which the parser says `message`.
pub(crate) fn hint(text: &str, byte: usize, message: &str) -> String {
    if message.contains("duplicate key") {
        return "take one of them out, or write both below one header".to_owned();
    }
    let byte = (0..=byte.min(text.len())).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or(0);
    let start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    if line.starts_with('[') && !line.trim_end().ends_with(']') {
        return format!("close the header: `{line}]`");
    }
    match line.split_once('=') {
        Some((key, value)) if is_bare_text(value.trim()) => {
            format!("texts stand in quotes: write `{} = \"{}\"`", key.trim(), value.trim())
        }
        None if line.contains(':') => "a key and its value stand on either side of `=`: write `key = value`".to_owned(),
        _ => "write `key = value`, texts in quotes, lists as `[ … ]` and tables as `[name]` or `{ key = value }`".to_owned(),
    }
}

/// Whether something looks like a text without its quotes.
fn is_bare_text(value: &str) -> bool {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '/' | '%' | '*');
    !value.is_empty() && value.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        let text = "listen = 0.0.0.0:8080\n[upstreams.cart\nzone: near\nx = [1\n";
        let at = |line: &str| text.find(line).unwrap() + 2;
        assert_eq!(hint(text, at("listen"), ""), "texts stand in quotes: write `listen = \"0.0.0.0:8080\"`");
        assert_eq!(hint(text, at("[up"), ""), "close the header: `[upstreams.cart]`");
        assert!(hint(text, at("zone"), "").starts_with("a key and its value"));
        assert!(hint(text, at("x ="), "").starts_with("write `key = value`"));
        assert!(hint(text, 0, "duplicate key").starts_with("take one"));
        hint("", 7, "");
    }
}
