//! Did you mean? Finds the known name that a wrong one was probably meant to be.

/// A hint for the unknown `name`: the known name it resembles, or what there is.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// A longer list hides what it is meant to show.
    const LIST_MAX: usize = 16;
    let known: Vec<&str> = known.into_iter().collect();
    let nearest =
        known.iter().map(|known| (distance(name, known), known)).min_by_key(|(distance, _)| *distance);
    match nearest {
        None => "there are none".to_owned(),
        Some((distance, nearest)) if distance <= (name.chars().count() / 3).max(1) => {
            format!("did you mean \"{nearest}\"?")
        }
        Some(_) => {
            let more = if known.len() > LIST_MAX { ", …" } else { "" };
            let list: Vec<String> = known.iter().take(LIST_MAX).map(|name| format!("\"{name}\"")).collect();
            format!("there {} {}{more}", if known.len() == 1 { "is" } else { "are" }, list.join(", "))
        }
    }
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut fewest = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                fewest = fewest.min(before_last[j - 2] + 1);
            }
            row.push(fewest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("cart", "cart", 0),
            ("crat", "cart", 1),
            ("", "ab", 2),
            ("order", "odder", 1),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn hints() {
        assert_eq!(hint("crat", ["order", "cart"]), "did you mean \"cart\"?");
        assert_eq!(hint("nothing", ["order", "cart"]), "there are \"order\", \"cart\"");
        assert_eq!(hint("nothing", ["order"]), "there is \"order\"");
        assert_eq!(hint("nothing", []), "there are none");
    }
}
