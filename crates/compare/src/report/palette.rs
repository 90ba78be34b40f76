//! The colours of pictures and page: of one name, for a light and for a dark background.

/// A colour that stylesheets call `var(--name)`.
#[derive(Debug)]
pub(super) struct Colour {
    pub(super) name: &'static str,
    pub(super) light: &'static str,
    pub(super) dark: &'static str,
}

const fn colour(name: &'static str, light: &'static str, dark: &'static str) -> Colour {
    Colour { name, light, dark }
}

// Blue and orange can be told apart by readers with a red-green colour deficiency. They
// differ in brightness, so also in print. Their darker variant for text has the contrast that
// text needs.
#[rustfmt::skip]
pub(super) const COLOURS: &[Colour] = &[
    colour("page",      "#f5f6f8", "#0f1318"),
    colour("card",      "#ffffff", "#171c23"),
    colour("ink",       "#1b222b", "#e8ecf1"),
    colour("ink-soft",  "#55606e", "#a3aebb"),
    colour("line",      "#dde2e8", "#2c343f"),
    colour("grid",      "#e8ebef", "#262d37"),
    colour("axis",      "#98a3b0", "#5d6978"),
    colour("wt",        "#0067a8", "#5ab4ee"),
    colour("wt-text",   "#005a94", "#74c0f2"),
    colour("wb",        "#d67a00", "#f2a93b"),
    colour("wb-text",   "#8f4e00", "#f5b95c"),
    colour("fault",     "#c2334d", "#e0607a"),
    colour("fault-text","#9d1f39", "#f593a6"),
    colour("warn",      "#fff4d6", "#332a12"),
    colour("warn-line", "#d9a400", "#b88c14"),
    colour("bad",       "#fde8ea", "#3a1b21"),
    colour("good",      "#1f7a45", "#5fcf8f"),
];

/// Every colour, as the declarations of custom properties.
pub(super) fn declarations(of: fn(&Colour) -> &'static str) -> String {
    let declaration = |colour: &Colour| format!("--{}:{};", colour.name, of(colour));
    COLOURS.iter().map(declaration).collect()
}

/// The stylesheet with the light colours themselves instead of their names, for programs that
/// show pictures and know no custom properties.
pub(super) fn resolved(stylesheet: &str) -> String {
    let mut resolved = stylesheet.to_owned();
    for colour in COLOURS {
        resolved = resolved.replace(&format!("var(--{})", colour.name), colour.light);
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2: from 1 (the same) to 21 (black on white).
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| -> f64 {
            let channel = |from: usize| {
                let value = u8::from_str_radix(&colour[from..from + 2], 16).unwrap();
                let value = f64::from(value) / 255.0;
                match value <= 0.04045 {
                    true => value / 12.92,
                    false => ((value + 0.055) / 1.055).powf(2.4),
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn named(name: &str) -> &'static Colour {
        COLOURS.iter().find(|colour| colour.name == name).unwrap()
    }

    #[test]
    fn every_text_can_be_read_and_every_line_seen() {
        let texts = [
            "ink",
            "ink-soft",
            "wt-text",
            "wb-text",
            "fault-text",
            "good",
        ];
        for of in [
            |colour: &Colour| colour.light,
            |colour: &Colour| colour.dark,
        ] {
            for background in ["card", "page"] {
                for text in texts {
                    let contrast = contrast(of(named(text)), of(named(background)));
                    assert!(contrast >= 4.5, "{text} on {background}: {contrast:.2}");
                }
                for line in ["wt", "wb"] {
                    let contrast = contrast(of(named(line)), of(named(background)));
                    assert!(contrast >= 2.9, "{line} on {background}: {contrast:.2}");
                }
            }
            for background in ["warn", "bad"] {
                let contrast = contrast(of(named("ink")), of(named(background)));
                assert!(contrast >= 4.5, "ink on {background}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn no_name_of_a_colour_is_left_where_they_are_resolved() {
        let resolved = resolved("a{fill:var(--wb);stroke:var(--wb-text)}");
        assert_eq!(resolved, "a{fill:#d67a00;stroke:#8f4e00}");
    }
}
