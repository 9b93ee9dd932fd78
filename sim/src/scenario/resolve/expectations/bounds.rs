//! Bounds of expectations: what was written as one means in the unit of its figure.

use hoplab_config::quantity::{Duration, NotAQuantity, Rate, Share};
use hoplab_config::{At, Context, Place};

use crate::closed_form::ClosedForm;
use crate::figures::Unit;
use crate::scenario::plan::Metric;
use crate::scenario::schema::expect::{Bound, Expect};

/// A bound with its text.
pub(super) struct Limit {
    pub(super) value: f64,
    pub(super) text: String,
}

/// What a bound means in this unit.
pub(super) fn limit(unit: Unit, bound: &At<Bound>, context: &mut Context<'_>) -> Option<Limit> {
    let place = bound.place;
    let duration =
        |value: Duration| Limit { value: value.0.as_nanos() as f64 / 1e3, text: value.to_string() };
    let rate = |value: Rate| Limit { value: value.0, text: value.to_string() };
    let share = |value: Share| Limit { value: value.0, text: value.to_string() };
    match unit {
        Unit::Micros => {
            quantity(&bound.value, "a duration such as `\"300ms\"`", place, context).map(duration)
        }
        Unit::Share => quantity(&bound.value, "a percentage such as `\"2%\"`", place, context).map(share),
        Unit::Rate => quantity(&bound.value, "a rate such as `\"200 rps\"`", place, context).map(rate),
        Unit::Ratio | Unit::Count => match bound.value {
            Bound::Number(value) => Some(Limit { value, text: value.to_string() }),
            Bound::Text(_) => {
                context
                    .error(place, "a text where a number belongs")
                    .hint("write a plain number such as `1.2`");
                None
            }
        },
    }
}

/// The value that is known, with how it is said; `None` when something is wrong.
#[expect(clippy::option_option, reason = "said or not, and right or not")]
pub(super) fn closed_form(
    metric: Metric,
    expect: &Expect,
    context: &mut Context<'_>,
) -> Option<Option<(ClosedForm, String)>> {
    let (value, within) = match (&expect.value, &expect.within) {
        (None, None) => return None,
        (Some(value), Some(within)) => (value, within),
        (Some(At { place, .. }), None) => {
            let hint = "say how near: `within = \"2%\"`";
            context.error(*place, "a \"value\" without \"within\"").hint(hint);
            return Some(None);
        }
        (None, Some(At { place, .. })) => {
            let hint = "say of what: `value = \"50ms\"`";
            context.error(*place, "\"within\" without a \"value\"").hint(hint);
            return Some(None);
        }
    };
    if let Some(bound) = expect.min.as_ref().or(expect.max.as_ref()) {
        let hint = "write either `value` and `within`, or `min` and `max`";
        context.error(bound.place, "a bound beside a \"value\"").hint(hint);
        return Some(None);
    }
    if !matches!(metric, Metric::Figure(figure) if figure.is_estimated()) {
        let hint = "write `min` and `max`; the mean, p50, p90, p95, p99 and the error rate have intervals";
        context.error(value.place, "a \"value\" of what has no interval").hint(hint);
        return Some(None);
    }
    let Some(limit) = limit(metric.figure().unit(), value, context) else { return Some(None) };
    let form = ClosedForm { value: limit.value, within: within.value.0 };
    Some(Some((form, format!("{} ± {}", limit.text, within.value))))
}

fn quantity<Q: std::str::FromStr<Err = NotAQuantity>>(
    bound: &Bound,
    expected: &str,
    place: Place,
    context: &mut Context<'_>,
) -> Option<Q> {
    match bound {
        Bound::Text(text) => {
            text.parse().map_err(|wrong: Q::Err| context.complaint(place, &wrong.to_string())).ok()
        }
        Bound::Number(number) => {
            context.error(place, format!("`{number}` has no unit")).hint(format!("write {expected}"));
            None
        }
    }
}
