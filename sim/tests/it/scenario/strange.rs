//! No text is too strange to judge: whatever is done to a scenario, it is read or refused, and what
//! is refused can be shown.

use proptest::prelude::*;

use super::{GOOD, read, schema};

/// Something done to a text.
#[derive(Debug, Clone)]
enum Change {
    Delete { at: usize, length: usize },
    Insert { at: usize, text: String },
    CopyLine { from: usize, to: usize },
    SwapWords { a: usize, b: usize },
}

fn any_change() -> impl Strategy<Value = Change> {
    let strange = prop_oneof!["\\PC{0,8}", "[\"'\\[\\]{}=.,#()%0-9-]{1,5}", "\"[a-z0-9 ().:%,=-]{0,20}\""];
    prop_oneof![
        (any::<usize>(), 0_usize..40).prop_map(|(at, length)| Change::Delete { at, length }),
        (any::<usize>(), strange).prop_map(|(at, text)| Change::Insert { at, text }),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Change::CopyLine { from, to }),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Change::SwapWords { a, b }),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    match change {
        Change::Delete { at, length } => {
            let chars: Vec<char> = text.chars().collect();
            let start = at % (chars.len() + 1);
            let end = (start + length).min(chars.len());
            chars[..start].iter().chain(&chars[end..]).collect()
        }
        Change::Insert { at, text: inserted } => {
            let chars: Vec<char> = text.chars().collect();
            let at = at % (chars.len() + 1);
            let before: String = chars[..at].iter().collect();
            let after: String = chars[at..].iter().collect();
            format!("{before}{inserted}{after}")
        }
        Change::CopyLine { from, to } => {
            let mut lines: Vec<&str> = text.lines().collect();
            let copied = lines[from % lines.len()];
            lines.insert(to % lines.len(), copied);
            lines.join("\n")
        }
        Change::SwapWords { a, b } => {
            let mut words: Vec<&str> = text.split(' ').collect();
            let (a, b) = (a % words.len(), b % words.len());
            words.swap(a, b);
            words.join(" ")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_change_panics(changes in prop::collection::vec(any_change(), 1..5)) {
        let text = changes.iter().fold(GOOD.to_owned(), |text, change| {
            if text.is_empty() { text } else { apply(&text, change) }
        });
        match read(&text, &[]) {
            Ok(plan) => {
                prop_assert!(!plan.warnings.has_errors());
                let complaints = schema::complaints(&text).unwrap_or_default();
                prop_assert!(complaints.is_empty(), "the schema refuses what is read: {complaints:?}");
            }
            Err(problems) => {
                prop_assert!(problems.has_errors());
                for problem in problems.iter() {
                    prop_assert!(!problem.fact.is_empty());
                }
                prop_assert!(!problems.render(true).is_empty());
            }
        }
    }
}
