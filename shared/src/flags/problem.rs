//! What is wrong with a document: all of it at once, each with where it stands and the rule that it breaks.

use std::fmt;

/// A document of everything wrong must not make an answer without end.
const PROBLEMS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as `flags.new-search.rules[2].operator`; empty for the whole document.
    pub path: String,
    /// The rule that is broken: a stable name, like `unknown-operator`.
    pub rule: &'static str,
    /// What is wrong, in words.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.path.is_empty() { "the document" } else { &self.path };
        write!(f, "{at}: {}: {}", self.rule, self.message)
    }
}

/// Why a text is no valid document of flags. There is at least one problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, flag by flag; what concerns several flags comes last.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    pub(super) fn say(&mut self, path: impl fmt::Display, rule: &'static str, message: impl Into<String>) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(Problem { path: path.to_string(), rule, message: message.into() });
        } else {
            self.left_out += 1;
        }
    }

    /// Nothing if nothing is wrong.
    pub(super) fn into_invalid(mut self) -> Option<Invalid> {
        if self.left_out > 0 {
            let message = format!("{} more are not listed", self.left_out);
            self.list.push(Problem { path: String::new(), rule: "more-problems", message });
        }
        (!self.list.is_empty()).then_some(Invalid { problems: self.list })
    }
}

/// Where something stands. Made while reading at no cost, and written only if something is wrong there.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    within: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Name(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Self = Path { within: None, step: Step::Name("") };

    pub(super) fn name<'q>(&'q self, name: &'q str) -> Path<'q> {
        Path { within: Some(self), step: Step::Name(name) }
    }

    pub(super) fn index<'q>(&'q self, index: usize) -> Path<'q> {
        Path { within: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Paths are no deeper than documents are read.
        let Some(within) = self.within else { return Ok(()) };
        within.fmt(f)?;
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Name(name) => {
                let dot = if within.within.is_some() { "." } else { "" };
                if is_plain(name) { write!(f, "{dot}{name}") } else { write!(f, "[{:?}]", shortened(name)) }
            }
        }
    }
}

/// Names as flags and fields have them, which need no quotes.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '$'))
}

/// The beginning of a text that is too long to be repeated.
pub(super) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 64;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
