//! From text to an `Expression`: a small precedence climber. Nesting is bounded, so no text can exhaust the stack.

use super::{Expression, Function, Operator};

const DEPTH_MAX: usize = 50;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Text(String),
    Symbol(&'static str),
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 19] =
    ["<=", ">=", "==", "!=", "&&", "||", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "{", "}"];

impl Expression {
    /// Parses metric math; the message says what was not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
        let expression = parser.expression(0)?;
        match parser.peek() {
            None => Ok(expression),
            Some(token) => Err(format!("the expression {text} goes on with {token:?} where it should end")),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            let number =
                rest[..length].parse().map_err(|_| format!("{} is not a number", &rest[..length]))?;
            tokens.push(Token::Number(number));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else if first == '"' || first == '\'' {
            let inner = &rest[1..];
            let length = inner.find(first).ok_or("a quoted text does not end")?;
            tokens.push(Token::Text(inner[..length].to_owned()));
            length + 2
        } else {
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let symbol = symbol.ok_or_else(|| format!("{first} is not understood"))?;
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        };
        rest = rest[taken..].trim_start();
    }
    Ok(tokens)
}

/// Digits, one point, and an exponent with its sign.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        let after_exponent = length > 0 && matches!(bytes.get(length - 1), Some(b'e' | b'E'));
        let is_sign = after_exponent && matches!(byte, b'+' | b'-');
        if !(byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') || is_sign) {
            break;
        }
        length += 1;
    }
    length
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or("the expression has come to its end too early")?;
        self.next += 1;
        Ok(token)
    }

    fn take_if(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), String> {
        match self.take()? {
            Token::Symbol(found) if found == symbol => Ok(()),
            other @ (Token::Symbol(_) | Token::Number(_) | Token::Word(_) | Token::Text(_)) => {
                Err(format!("{symbol} was expected, and {other:?} was found"))
            }
        }
    }

    /// Everything that binds at least as tightly as `binding_min`.
    fn expression(&mut self, binding_min: u8) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("the expression is more than {DEPTH_MAX} levels deep"));
        }
        let mut left = self.operand()?;
        while let Some((operator, binding)) = self.peek().and_then(operator) {
            if binding < binding_min {
                break;
            }
            self.next += 1;
            let right = self.expression(binding + 1)?;
            left = Expression::Binary(Box::new(left), operator, Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        match self.take()? {
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Symbol("-") => {
                // Tighter than any operator between two operands.
                let inner = self.expression(u8::MAX - 1)?;
                Ok(Expression::Negate(Box::new(inner)))
            }
            Token::Symbol("(") => {
                let inner = self.expression(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => self.list("]").map(Expression::List),
            Token::Word(word) if self.take_if("(") => self.call(&word),
            Token::Word(word) => Ok(Expression::Id(word)),
            other @ (Token::Symbol(_) | Token::Text(_)) => Err(format!("{other:?} is not an operand")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let function = match name {
            "METRICS" => {
                let part = match self.peek().cloned() {
                    Some(Token::Text(part)) => {
                        self.next += 1;
                        part
                    }
                    Some(Token::Symbol(_) | Token::Number(_) | Token::Word(_)) | None => String::new(),
                };
                self.expect(")")?;
                return Ok(Expression::Metrics(part));
            }
            "FILL" => Function::Fill,
            "SUM" => Function::Sum,
            "AVG" => Function::Average,
            "MIN" => Function::Minimum,
            "MAX" => Function::Maximum,
            "IF" => Function::If,
            _ => return Err(format!("the local CloudWatch does not know the function {name}")),
        };
        self.list(")").map(|arguments| Expression::Call(function, arguments))
    }

    /// Bounded by the tokens: each turn takes at least one.
    fn list(&mut self, end: &'static str) -> Result<Vec<Expression>, String> {
        let mut items = vec![self.expression(0)?];
        while self.take_if(",") {
            items.push(self.expression(0)?);
        }
        self.expect(end)?;
        Ok(items)
    }
}

fn operator(token: &Token) -> Option<(Operator, u8)> {
    let (symbol, is_word) = match token {
        Token::Symbol(symbol) => (*symbol, false),
        Token::Word(word) => (word.as_str(), true),
        Token::Number(_) | Token::Text(_) => return None,
    };
    let found = match (symbol, is_word) {
        ("||", false) | ("OR", true) => (Operator::Or, 1),
        ("&&", false) | ("AND", true) => (Operator::And, 2),
        ("==", false) => (Operator::Equal, 3),
        ("!=", false) => (Operator::NotEqual, 3),
        ("<", false) => (Operator::Less, 4),
        ("<=", false) => (Operator::LessOrEqual, 4),
        (">", false) => (Operator::Greater, 4),
        (">=", false) => (Operator::GreaterOrEqual, 4),
        ("+", false) => (Operator::Add, 5),
        ("-", false) => (Operator::Subtract, 5),
        ("*", false) => (Operator::Multiply, 6),
        ("/", false) => (Operator::Divide, 6),
        _ => return None,
    };
    Some(found)
}
