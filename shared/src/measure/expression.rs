//! Metric math, as far as its names matter: every check has names of its own, and all checks are asked together.

/// A word of an expression, or what stands between two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'text> {
    /// A name that begins with a small letter: of another query.
    Name(&'text str),
    /// A name that begins with a capital: a function, or an operator like `AND`.
    Function(&'text str),
    /// Numbers, signs, spaces.
    Other(&'text str),
}

/// The parts of an expression, in order; put together they are the expression.
pub(crate) fn parts(expression: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            rest.find(is_word).unwrap_or(rest.len())
        };
        let (part, after) = rest.split_at(length);
        parts.push(match first {
            'a'..='z' => Part::Name(part),
            'A'..='Z' => Part::Function(part),
            _ => Part::Other(part),
        });
        rest = after;
    }
    parts
}

/// The expression with every name of another query led by a prefix.
pub(super) fn with_prefix(expression: &str, prefix: &str) -> String {
    let mut text = String::with_capacity(expression.len());
    for part in parts(expression) {
        match part {
            Part::Name(name) => {
                text.push_str(prefix);
                text.push_str(name);
            }
            Part::Function(part) | Part::Other(part) => text.push_str(part),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        assert_eq!(with_prefix(expression, "p_"), expected);
    }

    #[test]
    fn names_are_prefixed_and_nothing_else_is() {
        check("100 * errors / requests", "100 * p_errors / p_requests");
        check("IF(m1>=0.5, m1, 0)", "IF(p_m1>=0.5, p_m1, 0)");
        check("SUM([a,b])-a1_B", "SUM([p_a,p_b])-p_a1_B");
        check("FILL(e, 0)/(e+E2)", "FILL(p_e, 0)/(p_e+E2)");
        check("", "");
        check("1e3*é", "1e3*é");
    }
}
