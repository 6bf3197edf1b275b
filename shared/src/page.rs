//! One page of HTML that stands alone: it can be mailed, archived and printed, and asks nobody for anything.
//!
//! The page forbids itself the network and scripts, so that whatever a reason, a log line or a name contains can do
//! nothing. Text is escaped where it is put in ([`maud`]), never by whoever puts it in. It must not know what it shows.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What a browser may do with a page: draw it. Styles stand in the page itself.
const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What every page and picture looks like; the colours of both are named here and nowhere else.
const STYLE: &str = include_str!("page/style.css");

/// The colours of a light surface, as custom properties.
const LIGHT: &str = include_str!("page/light.css");

/// The colours of a dark surface.
const DARK: &str = include_str!("page/dark.css");

/// What a page says first.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// What the browser's tab shows.
    pub title: &'a str,
    /// What kind of page it is, in small letters above the answer: `Release report`.
    pub kind: &'a str,
    /// The answer, in a sentence.
    pub answer: &'a str,
    /// How good the answer is, which colours it.
    pub tone: Tone,
}

/// How good something is. A colour never says it alone: words stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Neither good nor bad, or not known.
    Plain,
    /// Somebody should look.
    Warning,
    /// Wrong.
    Bad,
}

impl Tone {
    /// The class that colours an element.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Plain => "plain",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// A number that is worth seeing from afar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it counts.
    pub name: String,
    /// The number with its unit.
    pub value: String,
    /// What it rests on or is compared with; may be empty.
    pub note: String,
    /// How good it is.
    pub tone: Tone,
}

/// The whole page.
pub fn page(head: Head<'_>, body: &Markup) -> String {
    let style = format!(
        ".ripcord{{{LIGHT}}}@media screen and (prefers-color-scheme:dark){{.ripcord{{{DARK}}}}}{STYLE}"
    );
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(SECURITY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (head.title) }
                // No text of anybody's is in it.
                style { (PreEscaped(style)) }
            }
            body.ripcord {
                main {
                    header {
                        p.kind { (head.kind) }
                        h1.answer.(head.tone.class()) { (head.answer) }
                    }
                    (body)
                }
            }
        }
    }
    .into_string()
}

/// The style of a fragment inside somebody else's page, which says itself whether it is light or dark. Everything is bound
/// to an element of the class `ripcord`, so that it changes nothing around it.
pub fn fragment_style(is_dark: bool) -> Markup {
    let colours = if is_dark { DARK } else { LIGHT };
    html! { style { (PreEscaped(format!(".ripcord{{{colours}}}{STYLE}"))) } }
}

/// Numbers side by side, which wrap on a phone.
pub fn figures(figures: &[Figure]) -> Markup {
    html! {
        dl.figures {
            @for figure in figures {
                div {
                    dt { (figure.name) }
                    dd.(figure.tone.class()) { (figure.value) }
                    @if !figure.note.is_empty() { dd.note { (figure.note) } }
                }
            }
        }
    }
}

/// A table. It scrolls by itself where the screen is narrower than its words.
pub fn table(columns: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// A picture with the sentence that says what to see in it.
pub fn picture(picture: &Markup, caption: &str) -> Markup {
    html! {
        figure {
            div.scroll tabindex="0" { (picture) }
            @if !caption.is_empty() { figcaption { (caption) } }
        }
    }
}

/// A section under a heading.
pub fn section(title: &str, body: &Markup) -> Markup {
    html! { section { h2 { (title) } (body) } }
}

/// What a reader has to know before believing the rest: something is missing, expired or not measured.
pub fn caution(text: &str) -> Markup {
    html! { p.caution role="note" { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</title></style></svg><script>alert(1)</script><img src=x onerror=\"alert(1)\">";

    fn hostile_page() -> String {
        let head = Head { title: HOSTILE, kind: HOSTILE, answer: HOSTILE, tone: Tone::Bad };
        let shown = Figure {
            name: HOSTILE.to_owned(),
            value: HOSTILE.to_owned(),
            note: HOSTILE.to_owned(),
            tone: Tone::Plain,
        };
        let body = html! {
            (figures(&[shown]))
            (section(HOSTILE, &caution(HOSTILE)))
            (table(&[HOSTILE], &[vec![html! { (HOSTILE) }]]))
            (picture(&html! {}, HOSTILE))
        };
        page(head, &body)
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = hostile_page();
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(page.matches("</title>").count(), 1);
        assert_eq!(page.matches("&lt;script&gt;").count(), 11, "it is shown, not swallowed");
    }

    #[test]
    fn a_page_asks_nobody_for_anything() {
        let page = hostile_page().replace("&lt;img src=x", "");
        assert!(page.contains("default-src 'none'"));
        for from_outside in ["http://", "https://", "src=", "@import", "url(", "href="] {
            assert!(!page.contains(from_outside), "{from_outside}");
        }
    }

    #[test]
    fn the_style_of_a_fragment_touches_nothing_around_it() {
        let style = fragment_style(true).into_string();
        let selectors =
            STYLE.lines().filter_map(|rule| rule.split_once('{')).flat_map(|(names, _)| names.split(','));
        for selector in selectors.filter(|selector| !selector.starts_with("@media")) {
            assert!(selector.starts_with(".ripcord") || selector == "body.ripcord", "{selector}");
        }
        assert!(style.contains(DARK.trim()) && !style.contains(LIGHT.trim()));
    }

    #[test]
    fn light_and_dark_name_the_same_colours() {
        let names = |text: &str| -> Vec<String> {
            text.split(';')
                .filter_map(|line| line.split_once(':'))
                .map(|(name, _)| name.trim().to_owned())
                .collect()
        };
        assert_eq!(names(LIGHT), names(DARK));
        for used in STYLE.split("var(").skip(1) {
            let name = used.split(')').next().expect("a name").trim();
            assert!(names(LIGHT).contains(&name.to_owned()), "{name} is no colour");
        }
    }
}
