//! Links from one folder to a file in another, as a browser reads them. Owns no page.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// The link from a page in `from` to the file `name` in `dir`, both of which exist; absolute where they
/// have nothing in common.
pub(super) fn between(from: &Path, dir: &Path, name: &str) -> io::Result<String> {
    let (from, dir) = (fs::canonicalize(from)?, fs::canonicalize(dir)?);
    Ok(written(&relative(&from, &dir).join(name)))
}

/// The way from one absolute folder to another.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

/// A path as a link: what means something in one is escaped.
fn written(path: &Path) -> String {
    let mut link = String::new();
    for byte in path.to_string_lossy().replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~+".contains(&byte) {
            link.push(char::from(byte));
        } else {
            let _ = write!(link, "%{byte:02X}");
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_up_and_down_and_escape_what_means_something() {
        let cases = [
            ("/a/b", "/a/b", "report.html"),
            ("/a/b", "/a/b/c", "c/report.html"),
            ("/a/b/out", "/a/c d#1", "../../c%20d%231/report.html"),
        ];
        for (from, to, link) in cases {
            assert_eq!(written(&relative(Path::new(from), Path::new(to)).join("report.html")), link);
        }
        assert_eq!(written(Path::new("ü?")), "%C3%BC%3F");
    }
}
