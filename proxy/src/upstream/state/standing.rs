//! Which endpoints are healthy, as far as policies found out: outlier ejection and active health checks
//! bar endpoints, each for reasons of its own, and an endpoint is healthy while nobody bars it. Owns no
//! policy: whoever bars an endpoint decides when it is readmitted. Breakers are not here: they tell a
//! request whether it may pass, not what an endpoint is.

/// Who may bar an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) enum Bar {
    /// Outlier ejection.
    Ejected,
    /// Active health checks.
    Unhealthy,
}

/// The standing of an upstream's endpoints.
#[derive(Debug, Clone)]
pub(in crate::upstream) struct Standing {
    /// A bit for each [`Bar`] that holds; by slot.
    bars: Vec<u8>,
}

impl Standing {
    /// All of `endpoints` are healthy.
    pub(in crate::upstream) fn new(endpoints: usize) -> Self {
        Self { bars: vec![0; endpoints] }
    }

    /// Somebody joins in `slot`, whom nobody bars.
    pub(in crate::upstream) fn join(&mut self, slot: usize) {
        self.bars.resize(self.bars.len().max(slot + 1), 0);
        self.bars[slot] = 0;
    }

    /// Whether nobody bars `endpoint`.
    pub(in crate::upstream) fn is_healthy(&self, endpoint: usize) -> bool {
        self.bars[endpoint] == 0
    }

    /// Whether `bar` holds for `endpoint`.
    pub(in crate::upstream) fn is_barred(&self, endpoint: usize, bar: Bar) -> bool {
        self.bars[endpoint] & bar.bit() != 0
    }

    /// Bars `endpoint`; whether it was not barred so before.
    pub(in crate::upstream) fn bar(&mut self, endpoint: usize, bar: Bar) -> bool {
        self.set(endpoint, self.bars[endpoint] | bar.bit())
    }

    /// Lifts a bar from `endpoint`; whether there was one.
    pub(in crate::upstream) fn lift(&mut self, endpoint: usize, bar: Bar) -> bool {
        self.set(endpoint, self.bars[endpoint] & !bar.bit())
    }

    fn set(&mut self, endpoint: usize, bars: u8) -> bool {
        let before = std::mem::replace(&mut self.bars[endpoint], bars);
        before != bars
    }
}

impl Bar {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_healthy_while_nobody_bars_it() {
        let mut standing = Standing::new(2);
        assert!(standing.bar(1, Bar::Ejected) && !standing.bar(1, Bar::Ejected));
        assert!(standing.bar(1, Bar::Unhealthy));
        assert_eq!((standing.is_healthy(0), standing.is_healthy(1)), (true, false));
        assert!(standing.is_barred(1, Bar::Unhealthy) && !standing.is_barred(0, Bar::Unhealthy));
        assert!(standing.lift(1, Bar::Ejected));
        assert!(!standing.is_healthy(1), "health checks still bar it");
        assert!(standing.lift(1, Bar::Unhealthy) && !standing.lift(1, Bar::Unhealthy));
        assert!(standing.is_healthy(1));
        standing.bar(0, Bar::Ejected);
        standing.join(0);
        standing.join(2);
        assert!(standing.is_healthy(0) && standing.is_healthy(2), "who joins is another one");
    }
}
