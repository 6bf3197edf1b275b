//! Lines of a frame: text in styles, whose width is known, so that none is longer than the terminal is wide.

use std::fmt;

use clap::builder::styling::Style;

use crate::output::styled;

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Style, String)>);

impl Line {
    /// A line that begins with so many blanks.
    pub(crate) fn indented(blanks: usize) -> Self {
        Self::default().with(Style::new(), " ".repeat(blanks))
    }

    /// The line with more text.
    #[must_use]
    pub(crate) fn with(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// The line with all of another one behind it.
    #[must_use]
    fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// How many columns it takes. Whatever is drawn here takes one column per character.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The line, and at the far end of `width` another text, if there is room for both.
    #[must_use]
    pub(crate) fn and_right(self, style: Style, text: &str, width: usize) -> Self {
        let room = width.saturating_sub(self.width());
        let length = text.chars().count();
        if room < length + 2 {
            return self;
        }
        self.with(Style::new(), " ".repeat(room - length)).with(style, text)
    }

    /// The line, cut to a width.
    #[must_use]
    pub(crate) fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut left = width.saturating_sub(1);
        let mut cut = Self::default();
        for (style, text) in self.0 {
            let part: String = text.chars().take(left).collect();
            left -= part.chars().count();
            cut = cut.with(style, part);
        }
        cut.with(Style::new(), if width == 0 { "" } else { "…" })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (style, text) in &self.0 {
            if *style == Style::new() {
                f.write_str(text)?;
            } else {
                f.write_str(&styled(*style, text))?;
            }
        }
        Ok(())
    }
}

/// Parts in lines, as many to a line as fit, two blanks between them. Lines after the first begin further in.
pub(crate) fn flow(parts: Vec<Line>, indent: usize, width: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for part in parts {
        match lines.pop() {
            None => lines.push(Line::indented(indent).then(part)),
            Some(line) if line.width() + 2 + part.width() <= width => {
                lines.push(line.with(Style::new(), "  ").then(part));
            }
            Some(line) => lines.extend([line, Line::indented(indent + 2).then(part)]),
        }
    }
    lines
}

/// A text in lines of a width, broken between words; at most `lines_max` of them, the last of which says that it was cut.
pub(crate) fn wrap(style: Style, text: &str, indent: usize, width: usize, lines_max: usize) -> Vec<Line> {
    let room = width.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines.into_iter().map(|line| Line::indented(indent).with(style, line).cut(width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{BAD, NAME};

    fn plain(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(&line.to_string()).to_string()).collect()
    }

    #[test]
    fn a_line_is_cut_past_the_width_and_not_at_it() {
        let line = || Line::indented(2).with(BAD, "äöü").with(NAME, "abc");
        assert_eq!(line().width(), 8);
        assert_eq!(
            plain(&[line().cut(8), line().cut(7), line().cut(4), line().cut(0)]),
            ["  äöüabc", "  äöüa…", "  ä…", ""]
        );
    }

    #[test]
    fn what_stands_right_yields_to_what_stands_left() {
        let line = || Line::default().with(NAME, "left");
        assert_eq!(plain(&[line().and_right(BAD, "right", 11)]), ["left  right"]);
        assert_eq!(plain(&[line().and_right(BAD, "right", 10)]), ["left"]);
    }

    #[test]
    fn parts_stay_whole() {
        let part = |text: &str| Line::default().with(NAME, text);
        let parts = || vec![part("aaaa"), part("bbbb"), part("cccc")];
        assert_eq!(plain(&flow(parts(), 1, 17)), [" aaaa  bbbb  cccc"]);
        assert_eq!(plain(&flow(parts(), 1, 16)), [" aaaa  bbbb", "   cccc"]);
    }

    #[test]
    fn text_breaks_between_words_and_says_when_it_is_cut() {
        let wrapped = |text: &str, width| plain(&wrap(NAME, text, 2, width, 2));
        assert_eq!(wrapped("one two three", 9), ["  one two", "  three"]);
        assert_eq!(wrapped("one two three", 8), ["  one", "  two …"]);
        assert_eq!(wrapped("undivided", 6), ["  und…"]);
        assert_eq!(wrapped("", 6), [""; 0]);
    }
}
