//! Expectations as people say them.

use hoplab_config::At;

use super::bounds::Limit;
use crate::closed_form::ClosedForm;
use crate::figures::{Better, Figure};
use crate::scenario::schema::expect::{Bound, Expect};

/// `p99 of order.place`, `ejected of payment`.
pub(super) fn figure(expect: &Expect) -> String {
    if let Some(invariant) = &expect.invariant {
        return format!("violations of {}", invariant.value);
    }
    let of = |text: &str| {
        let of = expect.of.as_ref().map(|of| format!(" of {}", of.value));
        of.unwrap_or_default() + text
    };
    if let Some(limit) = &expect.limit {
        return format!("share{}", of(&format!(" within {}", limit.value)));
    }
    if let (Some(after), Some(figure), Some(bound)) = (&expect.after, &expect.figure, &expect.bound) {
        let bound = match &bound.value {
            Bound::Text(text) => text.clone(),
            Bound::Number(number) => number.to_string(),
        };
        let sign = match Figure::named(&figure.value).map(Figure::better) {
            Some(Better::More) => '≥',
            Some(Better::Less | Better::Neither) | None => '≤',
        };
        let back = format!(" after {} until {} {sign} {bound}", after.value, figure.value);
        return format!("recovery{}", of(&back));
    }
    let metric = expect.decision.as_ref().or(expect.metric.as_ref()).map_or("", |name| &name.value);
    let subject = expect.of.as_ref().or(expect.edge.as_ref());
    let subject = subject.or(expect.service.as_ref()).or(expect.pod.as_ref()).or(expect.container.as_ref());
    match subject {
        Some(subject) => format!("{metric} of {}", subject.value.replace("->", "→")),
        None => metric.to_owned(),
    }
}

/// `p99 of order.place ≤ 300ms during payment-slow`.
pub(super) fn sentence(
    figure: &str,
    bounds: (Option<&Limit>, Option<&Limit>),
    form: Option<&(ClosedForm, String)>,
    during: Option<&At<String>>,
) -> String {
    let bounded = match bounds {
        (Some(min), Some(max)) if min.text == max.text => format!("{figure} = {}", min.text),
        (Some(min), Some(max)) => format!("{} ≤ {figure} ≤ {}", min.text, max.text),
        (Some(min), None) => format!("{figure} ≥ {}", min.text),
        (None, Some(max)) => format!("{figure} ≤ {}", max.text),
        (None, None) => form.map_or_else(|| figure.to_owned(), |(_, said)| format!("{figure} = {said}")),
    };
    match during {
        Some(part) => format!("{bounded} during {}", part.value),
        None => bounded,
    }
}
