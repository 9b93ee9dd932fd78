//! One row's time on the terminal: a character a stretch of it, the owner's letter, coloured where colours are taken.
//! Owns the letters; not the rows.

use crate::owners::{self, OWNERS};
use crate::table::Look;

/// What a character stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// An owner, by its place in [`OWNERS`].
    Owner(usize),
    /// Waiting for the next hop, whose row says what for.
    Waiting,
}

impl Mark {
    /// That of an owner's key in a record.
    pub(super) fn of(owner: &str) -> Self {
        Self::Owner(owners::index(owner))
    }

    fn letter(self) -> char {
        let Self::Owner(index) = self else { return '·' };
        match OWNERS[index].key {
            "service_work" => 'S',
            "service_sleep" => 's',
            "service_queue" => 'Z',
            "wire" => 'w',
            "retransmission" => 'R',
            "unread" => 'u',
            "window" => 'v',
            "connect" => 'c',
            "pool" => 'o',
            "tls" => 'T',
            "proxy_cpu" => 'P',
            "proxy_latency" => 'L',
            "proxy_queue" => 'Q',
            "backoff" => 'B',
            "delay" => 'D',
            _ => '?',
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Owner(index) => OWNERS[index].label,
            Self::Waiting => "waiting for the next hop",
        }
    }

    /// Black on the colour of the owner's kind: green for services, yellow for proxies, blue for the network, magenta
    /// for deliberate waiting.
    fn ansi(self) -> &'static str {
        let Self::Owner(index) = self else { return "2" };
        match OWNERS[index].key {
            "service_work" | "service_sleep" => "30;42",
            "service_queue" => "30;102",
            "wire" | "retransmission" | "unread" | "window" | "connect" | "pool" => "30;46",
            "tls" => "30;44",
            "proxy_cpu" | "proxy_latency" => "30;43",
            "proxy_queue" => "30;103",
            "backoff" | "delay" => "30;45",
            _ => "30;47",
        }
    }

    /// How the legend explains it.
    pub(super) fn legend(self) -> String {
        format!("{} {}", self.letter(), self.label())
    }

    /// `text` with its first letter, this mark's, in its colour.
    pub(super) fn painted(self, text: &str, look: Look) -> String {
        let rest = text.strip_prefix(self.letter()).unwrap_or_default();
        look.painted(self.ansi(), &self.letter().to_string()) + rest
    }
}

/// The time that all bars of a request lie on, in nanoseconds, and how many characters it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) cells: usize,
}

impl Scale {
    /// When the character at `cell` begins.
    fn start(self, cell: usize) -> u64 {
        let length = u128::from(self.until.saturating_sub(self.from));
        self.from + (length * cell as u128 / self.cells as u128) as u64
    }

    /// A bar of `pieces`, each with its start and end, in order. A character shows who owned most of its time; what
    /// goes on beyond the scale ends in `>`.
    pub(super) fn bar(self, pieces: &[(Mark, u64, u64)], look: Look) -> String {
        let cells = (0..self.cells).map(|cell| self.mark(cell, pieces));
        let mut marks: Vec<Option<Mark>> = cells.collect();
        let is_seen = marks.iter().any(Option::is_some);
        // What took no time is seen all the same.
        if let (false, Some(&(mark, from, _))) = (is_seen, pieces.first()) {
            let length = self.until.saturating_sub(self.from).max(1);
            let place = u128::from(from.saturating_sub(self.from)) * self.cells as u128 / u128::from(length);
            marks[(place as usize).min(self.cells - 1)] = Some(mark);
        }
        let goes_on = pieces.iter().any(|(_, _, until)| *until > self.until);
        let mut text = String::new();
        for (cell, mark) in marks.iter().enumerate() {
            match mark {
                Some(_) if goes_on && cell + 1 == self.cells => text.push('>'),
                Some(mark) => text.push_str(&look.painted(mark.ansi(), &mark.letter().to_string())),
                None => text.push(' '),
            }
        }
        text.trim_end().to_owned()
    }

    /// Who owned most of a character's time.
    fn mark(self, cell: usize, pieces: &[(Mark, u64, u64)]) -> Option<Mark> {
        let (start, end) = (self.start(cell), self.start(cell + 1));
        let overlap = |from: u64, until: u64| until.min(end).saturating_sub(from.max(start));
        let owned = pieces.iter().map(|(mark, from, until)| (overlap(*from, *until), *mark));
        // Of equals the first.
        let most = owned.reduce(|most, next| if next.0 > most.0 { next } else { most });
        most.filter(|(nanos, _)| *nanos > 0).map(|(_, mark)| mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(pieces: &[(&str, u64, u64)]) -> String {
        let scale = Scale { from: 100, until: 200, cells: 10 };
        let pieces: Vec<_> =
            pieces.iter().map(|(owner, from, until)| (Mark::of(owner), *from, *until)).collect();
        scale.bar(&pieces, Look::PLAIN)
    }

    #[test]
    fn a_character_shows_who_owned_most_of_it() {
        assert_eq!(bar(&[("wire", 100, 134), ("proxy_cpu", 134, 160), ("tls", 160, 200)]), "wwwPPPTTTT");
        assert_eq!(bar(&[("wire", 120, 121)]), "  w");
        assert_eq!(bar(&[("wire", 150, 150)]), "     w", "what took no time is seen");
        assert_eq!(bar(&[("wire", 180, 260)]), "        w>");
        assert_eq!(bar(&[("wire", 240, 260)]), "         >", "what came after");
    }
}
