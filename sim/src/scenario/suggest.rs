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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        assert_eq!(hint("crat", ["order", "cart"]), "did you mean \"cart\"?");
        assert_eq!(hint("nothing", ["order", "cart"]), "there are \"order\", \"cart\"");
        assert_eq!(hint("nothing", ["order"]), "there is \"order\"");
        assert_eq!(hint("nothing", []), "there are none");
    }
}
