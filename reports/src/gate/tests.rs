//! What always holds of baselines and comparisons, and how mistakes in a baseline are told.

use hoplab_sim::figures::Figure;
use proptest::prelude::*;

use super::accepted;
use super::baseline::{Baseline, Origin};
use super::compare::{Comparison, Outcome, Verdict};
use super::explain::{self, Reasons};
use super::figures::{Figures, Key, Thousandths, Value};
use super::metric::{Metric, Unit};
use super::tolerance::{Stated, Tolerance};

const NAME: &str = "[a-z \"\\\\\\n=#→*()-]{0,8}";

fn metric() -> impl Strategy<Value = Metric> {
    proptest::sample::select(Metric::all().collect::<Vec<_>>())
}

fn figures() -> impl Strategy<Value = Figures> {
    let figure = (NAME, proptest::collection::vec(NAME, 1..4), metric(), 0..u64::MAX / 2_000);
    proptest::collection::vec(figure, 1..20).prop_map(|figures| {
        let figures = figures.into_iter().map(|(scope, subject, metric, number)| {
            let value = match metric.unit() {
                Unit::Text => Value::Text(format!("{number:x}")),
                _ => Value::Number(Thousandths((number / 1_000) as i64)),
            };
            (Key { scope, subject, metric }, value)
        });
        figures.collect()
    })
}

fn baseline() -> impl Strategy<Value = Baseline> {
    let notes = proptest::collection::vec("[a-z][a-z =]{0,8}[a-z]", 0..3);
    let tolerance = prop_oneof![
        Just(Tolerance::Any),
        (0..1_000_000_u64, 0..1_000_000_u64).prop_map(|(share, amount)| Tolerance::Within { share, amount }),
    ];
    let stated = (notes.clone(), metric(), tolerance).prop_map(|(notes, metric, tolerance)| {
        let tolerance = if metric.unit() == Unit::Text { Tolerance::NONE } else { tolerance };
        Stated { notes, scope: None, subject: Vec::new(), metric, tolerance }
    });
    let origin = (proptest::option::of(NAME), proptest::option::of(any::<u64>()))
        .prop_map(|(scenario, seed)| Origin { scenario, seed, scale: None });
    (notes, origin, proptest::collection::vec(stated, 0..4), figures()).prop_map(
        |(notes, origin, mut tolerances, figures)| {
            tolerances.sort_by_key(|stated| stated.metric);
            tolerances.dedup_by_key(|stated| stated.metric);
            // A tolerance of one figure alone.
            let (key, _) = figures.iter().next().expect("there is a figure");
            let tolerance = Tolerance::Any;
            let scope = Some(key.scope.clone()).filter(|scope| scope != "*");
            let (subject, metric) = (key.subject.clone(), key.metric);
            tolerances.push(Stated { notes: Vec::new(), scope, subject, metric, tolerance });
            Baseline { notes, origin, tolerances, figures }
        },
    )
}

proptest! {
    #[test]
    fn a_baseline_is_read_as_it_was_written(baseline in baseline()) {
        let text = baseline.to_string();
        let read = Baseline::parse("b", &text).map_err(|problems| TestCaseError::fail(problems.to_string()))?;
        prop_assert_eq!(read.baseline.to_string(), text.clone());
        prop_assert_eq!(&read.baseline, &baseline);
        for (key, line) in read.lines {
            let named = text.lines().nth(line - 1).expect("the line is there");
            prop_assert!(named.starts_with(&super::baseline::name(&key)), "{}", named);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}(\n[a-z\"\\\\ =#]{0,30}){0,5}") {
        let _ = Baseline::parse("b", &text).map_err(|problems| problems.to_string());
    }

    #[test]
    fn figures_are_the_same_as_themselves(figures in figures()) {
        let baseline = Baseline { figures: figures.clone(), ..Baseline::default() };
        prop_assert_eq!(Comparison::of(&baseline, &figures).verdict(), Verdict::Pass);
    }

    /// What is worse one way is better the other way, where a tolerance is none or an amount. With a
    /// share of what it was, what is worse one way may be within it the other way, and never worse.
    #[test]
    fn worse_is_better_backwards(
        metric in metric(), a in 0..5_000_i64, b in 0..5_000_i64, share in 0..20_000_u64, amount in 0..1_000_u64
    ) {
        prop_assume!(metric.unit() != Unit::Text);
        let one = |number| Figures::from([(Key::new("mesh", &["all"], metric), Value::Number(Thousandths(number)))]);
        let outcome = |before: i64, now: i64, tolerance| {
            let stated =
                Stated { notes: Vec::new(), scope: None, subject: Vec::new(), metric, tolerance };
            let baseline =
                Baseline { figures: one(before), tolerances: vec![stated], ..Baseline::default() };
            Comparison::of(&baseline, &one(now)).findings[0].outcome
        };
        let mirrored = |outcome| match outcome {
            Outcome::Worse => Outcome::Better,
            Outcome::Better => Outcome::Worse,
            other => other,
        };
        let absolute = Tolerance::Within { share: 0, amount };
        prop_assert_eq!(outcome(a, b, absolute), mirrored(outcome(b, a, absolute)));
        let relative = Tolerance::Within { share, amount };
        let pair = (outcome(a, b, relative), outcome(b, a, relative));
        prop_assert!(!matches!(pair, (Outcome::Worse, Outcome::Worse) | (Outcome::Better, Outcome::Better)));
    }
}

/// Everything that is wrong is said at once, with place and hint.
#[test]
fn mistakes_are_located_and_have_hints() {
    let text = "\
scenaro = checkout
seed = one
seed = 1
tolerance latency.p98_us = 5%
tolerance latency.p99_us = 5 percent
tolerance digest = 3%
tolerance = 5%

mesh all digest = 12xy
mesh all latency.p99_us = 12ms
mesh all latency.p99_us
mesh all latency.p99_us =
mesh latency.p99_us = 5
mesh \"all latency.p99_us = 5
mesh all requests.sent = 5 # all of them
mesh all requests.ok = 5
mesh all  requests.ok = 6
# why
<<<<<<< ours
=======
";
    let problems = Baseline::parse("checkout.baseline", text).unwrap_err();
    insta::assert_snapshot!(problems.to_string());
    let aimless =
        "tolerance * endpoint cart.ad latency.p99_us = 5%\nmesh endpoint cart.add latency.p99_us = 5\n";
    insta::assert_snapshot!(Baseline::parse("checkout.baseline", aimless).unwrap_err().to_string());
    insta::assert_snapshot!(Baseline::parse("checkout.baseline", "# nothing\n").unwrap_err().to_string());
}

/// What a finding of a baseline's `before` and `now` is said to come from.
fn sentence(before: &str, now: &str, subject: &[&str], figure: Figure) -> String {
    let figures = |text: &str| Baseline::parse("b", text).unwrap().baseline;
    let comparison = Comparison::of(&figures(before), &figures(now).figures);
    let key = Key::new("mesh", subject, Metric::Figure(figure));
    let finding = comparison.findings.iter().find(|finding| finding.key == key).unwrap();
    explain::sentence(finding, &Reasons::of(&comparison, "mesh"))
}

/// Two endpoints, of which one became slower, and one's shortest request a little.
const TWO: &str = "\
mesh all requests.ok = 100
mesh all latency.mean_us = 1000
mesh all latency.p99_us = 5000
mesh endpoint shop.buy requests.ok = 40
mesh endpoint shop.buy latency.mean_us = 1000
mesh endpoint shop.look requests.ok = 60
mesh endpoint shop.look latency.mean_us = 1000
mesh endpoint shop.look latency.min_us = 700
mesh hop shop wire time.mean_us = 400
";

#[test]
fn a_mean_is_explained_by_what_sums_to_it_and_by_the_endpoint_that_accounts_for_it() {
    let now = TWO
        .replace("all latency.mean_us = 1000", "all latency.mean_us = 1400")
        .replace("shop.buy latency.mean_us = 1000", "shop.buy latency.mean_us = 2000")
        .replace("time.mean_us = 400", "time.mean_us = 800");
    let said = |subject: &[&str], figure| sentence(TWO, &now, subject, figure);
    assert_eq!(
        said(&["all"], Figure::Mean),
        "mean of all requests +400 µs (1 ms → 1.4 ms): wire at shop +400 µs"
    );
    assert_eq!(
        said(&["endpoint", "shop.buy"], Figure::Mean),
        "mean of shop.buy +1 ms (1 ms → 2 ms): wire at shop +1 ms"
    );
    let both = now.replace("shop.look latency.mean_us = 1000", "shop.look latency.mean_us = 900");
    let said = sentence(TWO, &both, &["endpoint", "shop.buy"], Figure::Mean);
    assert_eq!(said, "mean of shop.buy +1 ms (1 ms → 2 ms)", "another endpoint's requests moved as well");
}

#[test]
fn a_mean_explains_no_percentile_and_no_minimum() {
    let now = TWO
        .replace("all latency.mean_us = 1000", "all latency.mean_us = 1400")
        .replace("p99_us = 5000", "p99_us = 9000")
        .replace("min_us = 700", "min_us = 705")
        .replace("time.mean_us = 400", "time.mean_us = 800");
    let p99 = sentence(TWO, &now, &["all"], Figure::P99);
    assert_eq!(p99, "p99 of all requests +4 ms (5 ms → 9 ms)");
    let shortest = sentence(TWO, &now, &["endpoint", "shop.look"], Figure::Shortest);
    assert_eq!(shortest, "shortest of shop.look +5 µs (700 µs → 705 µs)");
}

#[test]
fn errors_are_put_beside_what_moved_by_the_same_number() {
    let now = TWO.to_owned()
        + "mesh all requests.failed = 8\nmesh edge client->shop errors = 8\nmesh edge shop->bank errors = 8\n\
           mesh edge shop->cart errors = 7\n";
    let failed = sentence(TWO, &now, &["all"], Figure::Failed);
    assert_eq!(failed, "requests failed of all requests +8 (0 → 8), as many as errors of shop → bank");
    let other = now.replace("shop->bank errors = 8", "shop->bank errors = 9");
    assert_eq!(sentence(TWO, &other, &["all"], Figure::Failed), "requests failed of all requests +8 (0 → 8)");
}

#[test]
fn accepting_keeps_what_people_wrote() {
    let text = "\
# mine
scenario = checkout
seed = 1

# payment jumps
tolerance latency.p99_us = 7%
tolerance * endpoint gone latency.p99_us = 8%

mesh all latency.p99_us = 5
mesh endpoint gone latency.p99_us = 5
";
    let before = Baseline::parse("b", text).unwrap().baseline;
    assert_eq!(before.to_string(), text);
    let now = Figures::from([(
        Key::new("mesh", &["all"], Metric::Figure(Figure::P99)),
        Value::Number(Thousandths::whole(9)),
    )]);
    let after = accepted(Some(&before), before.origin.clone(), "hoplab gate …", now);
    let expected = "# mine\nscenario = checkout\nseed = 1\n\n# payment jumps\n\
                    tolerance latency.p99_us = 7%\n\nmesh all latency.p99_us = 9\n";
    assert_eq!(after.to_string(), expected);
}

#[test]
fn a_counter_that_is_not_there_is_zero_and_a_latency_is_gone() {
    let figures = |text: &str| Baseline::parse("b", text).unwrap().baseline;
    let before = figures("mesh all latency.p99_us = 7\nmesh all requests.failed = 2\nmesh all digest = a\n");
    let after = figures("mesh edge a->b errors = 1\nmesh all digest = a\nmesh all latency.p999_us = 7\n");
    let found = Comparison::of(&before, &after.figures);
    let outcomes: Vec<(&str, Outcome)> =
        found.findings.iter().map(|finding| (finding.key.metric.name(), finding.outcome)).collect();
    let expected = [
        ("digest", Outcome::Same),
        ("requests.failed", Outcome::Better),
        ("latency.p99_us", Outcome::Gone),
        ("latency.p999_us", Outcome::New),
        ("errors", Outcome::Worse),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn attempts_are_told_as_any_figure_is() {
    let of = |calls: u64, attempts: u64| -> Figures {
        let key = |figure| Key::new("mesh", &["edge", "shop->bank"], Metric::Figure(figure));
        let value = |count| Value::Number(Thousandths::whole(count));
        [(key(Figure::Calls), value(calls)), (key(Figure::Attempts), value(attempts))].into()
    };
    let told = |before, now| {
        let origin = Origin { scenario: None, seed: None, scale: None };
        let baseline = Baseline { notes: Vec::new(), origin, tolerances: Vec::new(), figures: before };
        Reasons::of(&Comparison::of(&baseline, &now), "mesh").beside().unwrap_or_default()
    };
    assert_eq!(told(of(100, 120), of(100, 8_150)), "shop → bank: attempts 1.2 → 81.5 a request");
}
