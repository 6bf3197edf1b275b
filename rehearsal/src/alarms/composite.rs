//! Rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR INSUFFICIENT_DATA(c))`, `TRUE`, `FALSE`. A rule reads the
//! states of other alarms and nothing else.

use super::evaluate::AlarmState;

/// CloudWatch's own limit on elements is 500; ours on nesting keeps the stack safe.
const DEPTH_MAX: usize = 50;

/// A parsed rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmRule {
    /// `TRUE` or `FALSE`.
    Constant(bool),
    /// True while the alarm, by name or ARN, is in the state.
    Is(AlarmState, String),
    /// Not.
    Not(Box<AlarmRule>),
    /// All of them.
    And(Vec<AlarmRule>),
    /// Any of them.
    Or(Vec<AlarmRule>),
}

impl AlarmRule {
    /// Parses a rule; the message says what was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0 };
        let rule = parser.any(0)?;
        match parser.peek() {
            None => Ok(rule),
            Some(token) => Err(format!("the rule goes on with {token} where it should end: {text}")),
        }
    }

    /// Whether the rule holds. `state` gives the state of an alarm; an alarm that does not exist is in none.
    pub fn holds(&self, state: &impl Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Constant(holds) => *holds,
            Self::Is(wanted, alarm) => state(alarm) == Some(*wanted),
            Self::Not(rule) => !rule.holds(state),
            Self::And(rules) => rules.iter().all(|rule| rule.holds(state)),
            Self::Or(rules) => rules.iter().any(|rule| rule.holds(state)),
        }
    }

    /// The alarms that the rule names, by name.
    pub(crate) fn alarms(&self) -> Vec<&str> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Is(_, alarm) => vec![alarm],
            Self::Not(rule) => rule.alarms(),
            Self::And(rules) | Self::Or(rules) => rules.iter().flat_map(Self::alarms).collect(),
        }
    }
}

/// `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME` and `NAME` both name `NAME`.
pub(crate) fn alarm_name(name_or_arn: &str) -> &str {
    if !name_or_arn.starts_with("arn:") {
        return name_or_arn;
    }
    name_or_arn.split_once(":alarm:").map_or(name_or_arn, |(_, name)| name)
}

/// Parentheses, words, and quoted or bare alarm names inside `STATE(…)`.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => {
                2 + rest[1..].find(first).ok_or_else(|| format!("a quoted name does not end: {text}"))?
            }
            _ => rest.find(|c: char| c == '(' || c == ')' || c.is_whitespace()).unwrap_or(rest.len()),
        };
        tokens.push(rest[..length].trim_matches(['"', '\'']).to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<String>,
    next: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.next).map(String::as_str)
    }

    fn take(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.next).cloned().ok_or("the rule has come to its end too early")?;
        self.next += 1;
        Ok(token)
    }

    fn take_if(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.eq_ignore_ascii_case(word));
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        let token = self.take()?;
        if token == word {
            Ok(())
        } else {
            Err(format!("{word} was expected in the rule, and {token} was found"))
        }
    }

    // The loops are bounded by the tokens: each turn takes at least one.
    fn any(&mut self, depth: usize) -> Result<AlarmRule, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the rule is more than {DEPTH_MAX} levels deep"));
        }
        let mut rules = vec![self.all(depth)?];
        while self.take_if("OR") {
            rules.push(self.all(depth)?);
        }
        Ok(alone(rules, AlarmRule::Or))
    }

    fn all(&mut self, depth: usize) -> Result<AlarmRule, String> {
        let mut rules = vec![self.one(depth)?];
        while self.take_if("AND") {
            rules.push(self.one(depth)?);
        }
        Ok(alone(rules, AlarmRule::And))
    }

    fn one(&mut self, depth: usize) -> Result<AlarmRule, String> {
        let word = self.take()?;
        match word.to_ascii_uppercase().as_str() {
            "(" => {
                let rule = self.any(depth + 1)?;
                self.expect(")")?;
                Ok(rule)
            }
            "NOT" if depth < DEPTH_MAX => self.one(depth + 1).map(|rule| AlarmRule::Not(Box::new(rule))),
            "TRUE" => Ok(AlarmRule::Constant(true)),
            "FALSE" => Ok(AlarmRule::Constant(false)),
            state => {
                let state = AlarmState::parse(state)
                    .ok_or_else(|| format!("{word} is no state, operator or constant of an alarm rule"))?;
                self.expect("(")?;
                let name = alarm_name(&self.take()?).to_owned();
                self.expect(")")?;
                Ok(AlarmRule::Is(state, name))
            }
        }
    }
}

fn alone(mut rules: Vec<AlarmRule>, many: impl FnOnce(Vec<AlarmRule>) -> AlarmRule) -> AlarmRule {
    match rules.pop() {
        Some(rule) if rules.is_empty() => rule,
        Some(rule) => {
            rules.push(rule);
            many(rules)
        }
        None => AlarmRule::Constant(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: &str, expect: bool) {
        let states = |name: &str| match name {
            "up" => Some(AlarmState::Ok),
            "down" | "two words" => Some(AlarmState::Alarm),
            "new" => Some(AlarmState::InsufficientData),
            _ => None,
        };
        assert_eq!(AlarmRule::parse(rule).unwrap().holds(&states), expect, "{rule}");
    }

    #[test]
    fn rules_hold_as_they_read() {
        check("ALARM(down)", true);
        check("ALARM(\"down\")", true);
        check("ALARM('two words')", true);
        check("ALARM(up)", false);
        check("OK(up) AND INSUFFICIENT_DATA(new)", true);
        check("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:down)", true);
        check("NOT ALARM(down)", false);
        check("NOT (ALARM(down) AND OK(up))", false);
        check("ALARM(up) OR TRUE", true);
        check("FALSE", false);
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tightest() {
        check("TRUE OR FALSE AND FALSE", true);
        check("(TRUE OR FALSE) AND FALSE", false);
        check("NOT FALSE AND FALSE", false);
    }

    #[test]
    fn an_alarm_that_does_not_exist_is_in_no_state() {
        check("ALARM(ghost) OR OK(ghost) OR INSUFFICIENT_DATA(ghost)", false);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for rule in ["", "ALARM(", "ALARM(down", "BROKEN(down)", "ALARM(down) down", "NOT", "ALARM(\"down)"] {
            assert!(AlarmRule::parse(rule).is_err(), "{rule}");
        }
        assert!(AlarmRule::parse(&format!("{}TRUE{}", "(".repeat(200), ")".repeat(200))).is_err());
        assert!(AlarmRule::parse(&format!("{}TRUE", "NOT ".repeat(200))).is_err());
    }
}
