//! One colour an architecture, the same in every chart of every run: Okabe and Ito's palette, which
//! people with colour-blindness can tell apart. The baseline is neutral. Owns no chart.

/// A colour on light and on dark ground.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colour {
    /// On light ground, and in the plot files.
    pub(crate) light: (u8, u8, u8),
    /// On dark ground.
    pub(crate) dark: (u8, u8, u8),
}

/// How many architectures can be told apart by colour alone; beyond it colours repeat, dashed.
pub(crate) const SLOTS: usize = 8;

/// The colours by slot.
pub(crate) const COLOURS: [Colour; SLOTS] = [
    Colour { light: (92, 99, 109), dark: (168, 176, 187) },
    Colour { light: (0, 114, 178), dark: (77, 163, 224) },
    Colour { light: (213, 94, 0), dark: (240, 125, 50) },
    Colour { light: (0, 140, 104), dark: (38, 190, 146) },
    Colour { light: (190, 98, 150), dark: (221, 143, 190) },
    Colour { light: (201, 138, 0), dark: (236, 174, 40) },
    Colour { light: (58, 154, 210), dark: (128, 204, 245) },
    Colour { light: (150, 138, 0), dark: (226, 214, 70) },
];

/// A closed breaker: nothing to see.
pub(crate) const BREAKER_CLOSED: Colour = Colour { light: (205, 212, 219), dark: (66, 74, 84) };
/// A breaker that lets probes through.
pub(crate) const BREAKER_HALF_OPEN: Colour = Colour { light: (230, 159, 0), dark: (236, 174, 40) };
/// A breaker that refuses.
pub(crate) const BREAKER_OPEN: Colour = Colour { light: (200, 54, 54), dark: (235, 92, 88) };

/// An endpoint that is kept out of the pool.
pub(crate) const EJECTED: Colour = Colour { light: (124, 77, 180), dark: (176, 136, 228) };

/// The shades of a heat map, from few to many: one hue, darker with more on light ground, brighter on dark.
pub(crate) const HEAT: [Colour; 7] = [
    Colour { light: (222, 235, 247), dark: (26, 46, 68) },
    Colour { light: (189, 215, 236), dark: (29, 64, 98) },
    Colour { light: (147, 189, 221), dark: (32, 84, 131) },
    Colour { light: (97, 158, 203), dark: (42, 108, 166) },
    Colour { light: (49, 124, 182), dark: (72, 140, 200) },
    Colour { light: (16, 88, 150), dark: (127, 181, 228) },
    Colour { light: (8, 48, 100), dark: (205, 229, 250) },
];

/// The slot of each architecture: well-known names keep theirs, others take the first free one.
pub(crate) fn slots<'a>(names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let known = ["direct", "gateway", "mesh", "gateway+mesh", "ambient", "bff", "microgateway"];
    let names: Vec<&str> = names.collect();
    let mut slots: Vec<Option<usize>> =
        names.iter().map(|name| known.iter().position(|known| known == name)).collect();
    let mut next = 0;
    for index in 0..slots.len() {
        if slots[index].is_none() {
            while next < SLOTS && slots.contains(&Some(next)) {
                next += 1;
            }
            slots[index] = Some(next);
            next += 1;
        }
    }
    slots.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_keep_their_colour_and_no_two_share_one() {
        assert_eq!(slots(["direct", "mesh"].into_iter()), [0, 2]);
        assert_eq!(slots(["bff+mesh", "direct", "odd"].into_iter()), [1, 0, 2]);
        let many: Vec<String> = (0..12).map(|index| format!("a{index}")).collect();
        let slots = slots(many.iter().map(String::as_str));
        assert_eq!(slots, (0..12).collect::<Vec<_>>());
    }
}
