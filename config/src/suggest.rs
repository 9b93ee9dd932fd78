//! Did you mean? Finds the known name that a wrong one was probably meant to be: the one that the fewest letters
//! inserted, deleted, replaced or swapped with their neighbour make of it.

use strsim::osa_distance;

/// A hint for the unknown `name`: the known name it resembles, or what there is.
pub fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// A longer list hides what it is meant to show.
    const LIST_MAX: usize = 16;
    let known: Vec<&str> = known.into_iter().collect();
    let nearest =
        known.iter().map(|known| (osa_distance(name, known), known)).min_by_key(|(distance, _)| *distance);
    match nearest {
        None => "there are none".to_owned(),
        Some((distance, nearest)) if is_near(name, nearest, distance) => {
            format!("did you mean \"{nearest}\"?")
        }
        Some(_) => {
            let more = if known.len() > LIST_MAX { ", …" } else { "" };
            let there = if known.len() == 1 { "is" } else { "are" };
            format!("there {there} {}{more}", list(known.into_iter().take(LIST_MAX)))
        }
    }
}

/// Whether one of three letters is wrong, or three of a word that begins alike: `retries` for `retry`.
fn is_near(name: &str, known: &str, distance: usize) -> bool {
    let alike = name.chars().zip(known.chars()).take_while(|(one, other)| one == other).count();
    let wrong = (name.chars().count() / 3).max(1);
    distance <= if alike >= 4 { wrong.max(3) } else { wrong }
}

/// Names, each in quotes.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        assert_eq!(hint("crat", ["order", "cart"]), "did you mean \"cart\"?");
        assert_eq!(hint("nothing", ["order", "cart"]), "there are \"order\", \"cart\"");
        assert_eq!(hint("nothing", ["order"]), "there is \"order\"");
        assert_eq!(hint("nothing", []), "there are none");
        assert_eq!(hint("retries", ["retry", "hedge"]), "did you mean \"retry\"?");
    }
}
