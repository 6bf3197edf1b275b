//! Where a watched release is shown: drawn in place on a terminal, as lines in a log, as documents for scripts.

use std::io::{IsTerminal, Write};

use jiff::Timestamp;

use super::frame::frame;
use super::line::Line;
use super::news::news;
use super::view::View;
use crate::output;

/// How a release is shown.
#[derive(Debug)]
pub(crate) enum Screen {
    /// Drawn anew each second, over what was drawn before. Holds the widths of the lines that stand there.
    Drawn(Vec<usize>),
    /// A line for each thing that is new.
    Lines,
    /// The same as JSON.
    Documents,
    /// Not at all: somebody waits, and tells the end himself.
    Silent,
}

/// Where the terminal does not say, as most are.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;
/// Narrower than this no line makes sense.
const WIDTH_MIN: usize = 20;

impl Screen {
    /// What suits the standard output.
    pub(crate) fn for_output(json: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if json {
            Self::Documents
        } else if std::io::stdout().is_terminal() && !is_dumb {
            Self::Drawn(Vec::new())
        } else {
            Self::Lines
        }
    }

    /// Shows a release as it is now, if there is anything to show.
    pub(super) fn show(&mut self, before: Option<&View>, after: &View, now: Timestamp) {
        match self {
            Self::Drawn(standing) => {
                let (width, height) = size();
                let lines: Vec<Line> = frame(after, now, width).into_iter().take(height).collect();
                draw(standing, &lines, width);
            }
            Self::Lines => {
                news(before, after).iter().for_each(|news| output::raw(&news.line(after, now)));
            }
            Self::Documents => {
                for news in news(before, after) {
                    // A view serializes: it holds names, numbers and texts.
                    output::raw(&serde_json::to_string(&news.document(after, now)).unwrap_or_default());
                }
            }
            Self::Silent => {}
        }
    }

    /// Says something that is not about the release itself.
    pub(crate) fn remark(&self, text: &str) {
        match self {
            Self::Drawn(_) | Self::Lines => output::raw(&output::styled(output::FAINT, text)),
            Self::Documents | Self::Silent => {}
        }
    }
}

/// The columns that a line may take, and the lines that fit. The last row is left to the cursor.
fn size() -> (usize, usize) {
    let (width, height) = match terminal_size::terminal_size() {
        Some((width, height)) => (usize::from(width.0), usize::from(height.0)),
        None => (WIDTH, HEIGHT),
    };
    (width.max(WIDTH_MIN), height.saturating_sub(1).max(1))
}

/// Draws lines over those that stand there.
fn draw(standing: &mut Vec<usize>, lines: &[Line], width: usize) {
    let mut text = over(standing, width);
    let is_plain = anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never;
    for line in lines {
        let line = line.to_string();
        text.push_str(&if is_plain { anstream::adapter::strip_str(&line).to_string() } else { line });
        text.push('\n');
    }
    *standing = lines.iter().map(Line::width).collect();
    // The cursor moves also where colours are not wanted, so this goes past the stream that takes them off. Whoever
    // closed the terminal has seen enough.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What brings the cursor back to the first of the lines that stand there, and clears them. In a terminal that has become
/// narrower since, they take more rows.
fn over(standing: &[usize], width: usize) -> String {
    let rows: usize = standing.iter().map(|length| length.div_ceil(width).max(1)).sum();
    if rows == 0 { String::new() } else { format!("\u{1b}[{rows}A\r\u{1b}[J") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_goes_back_over_what_stands_there() {
        assert_eq!(over(&[], 80), "");
        assert_eq!(over(&[80, 0, 12], 80), "\u{1b}[3A\r\u{1b}[J");
        assert_eq!(over(&[80, 0, 12], 79), "\u{1b}[4A\r\u{1b}[J");
    }
}
