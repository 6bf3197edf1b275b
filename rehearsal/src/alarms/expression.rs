//! Metric math: numbers, metric ids, `+ - * /`, comparisons, `AND`/`OR`, and the functions `FILL`, `SUM`, `AVG`, `MIN`,
//! `MAX`, `IF` and `METRICS()`. A missing operand makes a missing result, and so does a division by zero. It must not
//! reach for metrics itself: its caller hands it series.

mod parse;

use std::collections::BTreeMap;

/// One value per period, oldest first; `None` where there is none.
pub type Series = Vec<Option<f64>>;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A constant.
    Number(f64),
    /// A metric or another expression, by id.
    Id(String),
    /// `METRICS()` or `METRICS("prefix")`: every metric (not expression) whose id contains the text.
    Metrics(String),
    /// `[m1, m2]`.
    List(Vec<Expression>),
    /// Unary minus.
    Negate(Box<Expression>),
    /// Two operands.
    Binary(Box<Expression>, Operator, Box<Expression>),
    /// A function of its arguments.
    Call(Function, Vec<Expression>),
}

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// The functions that this evaluator has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are CloudWatch's")]
pub enum Function {
    Fill,
    Sum,
    Average,
    Minimum,
    Maximum,
    If,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Scalar(f64),
    Series(Series),
    List(Vec<Series>),
}

impl Expression {
    /// The ids that the expression names.
    pub(crate) fn ids(&self) -> Vec<String> {
        match self {
            Self::Number(_) | Self::Metrics(_) => Vec::new(),
            Self::Id(id) => vec![id.clone()],
            Self::Negate(inner) => inner.ids(),
            Self::Binary(left, _, right) => [left.ids(), right.ids()].concat(),
            Self::List(items) | Self::Call(_, items) => items.iter().flat_map(Self::ids).collect(),
        }
    }

    /// What the expression asks of `METRICS()`.
    pub(crate) fn wildcards(&self) -> Vec<&str> {
        match self {
            Self::Number(_) | Self::Id(_) => Vec::new(),
            Self::Metrics(part) => vec![part],
            Self::Negate(inner) => inner.wildcards(),
            Self::Binary(left, _, right) => [left.wildcards(), right.wildcards()].concat(),
            Self::List(items) | Self::Call(_, items) => items.iter().flat_map(Self::wildcards).collect(),
        }
    }

    /// The expression's value in each of `length` periods. `series` holds everything that it may name, and `metrics` the
    /// ids among them that are metrics.
    pub(crate) fn evaluate(
        &self,
        series: &BTreeMap<String, Series>,
        metrics: &[String],
        length: usize,
    ) -> Result<Series, String> {
        let scope = Scope { series, metrics, length };
        match self.value(&scope)? {
            Value::Scalar(number) => Ok(vec![finite(number); length]),
            Value::Series(series) => Ok(series),
            Value::List(_) => Err("the expression comes to several series, and one is needed".to_owned()),
        }
    }

    fn value(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Self::Number(number) => Ok(Value::Scalar(*number)),
            Self::Id(id) => scope.series(id).map(Value::Series),
            Self::Metrics(part) => {
                let ids = scope.metrics.iter().filter(|id| id.contains(part.as_str()));
                ids.map(|id| scope.series(id)).collect::<Result<_, _>>().map(Value::List)
            }
            Self::List(items) => {
                let items = items.iter().map(|item| Ok(item.value(scope)?.into_series(scope.length)));
                items.collect::<Result<Vec<_>, String>>().map(|items| Value::List(items.concat()))
            }
            Self::Negate(inner) => Ok(map(inner.value(scope)?, |number| -number)),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(scope)?, right.value(scope)?);
                zip(left, right, scope.length, |left, right| operator.apply(left, right))
            }
            Self::Call(function, arguments) => function.call(arguments, scope),
        }
    }
}

struct Scope<'a> {
    series: &'a BTreeMap<String, Series>,
    metrics: &'a [String],
    length: usize,
}

impl Scope<'_> {
    fn series(&self, id: &str) -> Result<Series, String> {
        self.series.get(id).cloned().ok_or_else(|| format!("{id} is no metric of this expression"))
    }
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let truth = |holds: bool| Some(if holds { 1.0 } else { 0.0 });
        match self {
            Self::Add => finite(left + right),
            Self::Subtract => finite(left - right),
            Self::Multiply => finite(left * right),
            Self::Divide => finite(left / right),
            Self::Less => truth(left < right),
            Self::LessOrEqual => truth(left <= right),
            Self::Greater => truth(left > right),
            Self::GreaterOrEqual => truth(left >= right),
            Self::Equal => truth((left - right).abs() < f64::EPSILON),
            Self::NotEqual => truth((left - right).abs() >= f64::EPSILON),
            Self::And => truth(left != 0.0 && right != 0.0),
            Self::Or => truth(left != 0.0 || right != 0.0),
        }
    }
}

impl Function {
    fn call(self, arguments: &[Expression], scope: &Scope<'_>) -> Result<Value, String> {
        let count = |expected: usize| -> Result<(), String> {
            if arguments.len() == expected {
                return Ok(());
            }
            Err(format!("{self:?} takes {expected} arguments, not {}", arguments.len()))
        };
        match (self, arguments) {
            (Self::Fill, [filled, with]) => {
                // REPEAT is no metric: it means the last value before the gap.
                let with = match with {
                    Expression::Id(word) if word == "REPEAT" => None,
                    Expression::Number(_)
                    | Expression::Id(_)
                    | Expression::Metrics(_)
                    | Expression::List(_)
                    | Expression::Negate(_)
                    | Expression::Binary(..)
                    | Expression::Call(..) => Some(with.value(scope)?.into_series(scope.length).concat()),
                };
                let fill = |series: &Series| fill(series, with.as_deref());
                Ok(match filled.value(scope)? {
                    Value::Scalar(number) => Value::Scalar(number),
                    Value::Series(series) => Value::Series(fill(&series)),
                    Value::List(list) => Value::List(list.iter().map(fill).collect()),
                })
            }
            (Self::If, [condition, then, otherwise]) => {
                let length = scope.length;
                let [condition, then, otherwise] = [condition, then, otherwise]
                    .map(|part| part.value(scope).map(|value| value.into_series(length).concat()));
                let (condition, then, otherwise) = (condition?, then?, otherwise?);
                let chosen = condition.iter().enumerate().map(|(index, holds)| {
                    let branch = if (*holds)? == 0.0 { &otherwise } else { &then };
                    branch.get(index).copied().flatten()
                });
                Ok(Value::Series(chosen.collect()))
            }
            (Self::Sum | Self::Average | Self::Minimum | Self::Maximum, [over]) => {
                Ok(match over.value(scope)? {
                    Value::Scalar(number) => Value::Scalar(number),
                    // Over one series, the result is one number for the whole stretch.
                    Value::Series(series) => {
                        Value::Series(vec![self.reduce(series.into_iter().flatten()); scope.length])
                    }
                    Value::List(list) => {
                        let at =
                            |index: usize| list.iter().filter_map(move |s| s.get(index).copied().flatten());
                        Value::Series((0..scope.length).map(|index| self.reduce(at(index))).collect())
                    }
                })
            }
            (Self::Fill, _) => count(2).and(Ok(Value::Scalar(0.0))),
            (Self::If, _) => count(3).and(Ok(Value::Scalar(0.0))),
            (Self::Sum | Self::Average | Self::Minimum | Self::Maximum, _) => {
                count(1).and(Ok(Value::Scalar(0.0)))
            }
        }
    }

    fn reduce(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            return None;
        }
        let sum: f64 = values.iter().sum();
        match self {
            Self::Sum => Some(sum),
            Self::Average => finite(sum / values.len() as f64),
            Self::Minimum => values.into_iter().reduce(f64::min),
            Self::Maximum => values.into_iter().reduce(f64::max),
            Self::Fill | Self::If => None,
        }
    }
}

impl Value {
    fn into_series(self, length: usize) -> Vec<Series> {
        match self {
            Self::Scalar(number) => vec![vec![finite(number); length]],
            Self::Series(series) => vec![series],
            Self::List(list) => list,
        }
    }
}

/// Infinite and undefined results are no datapoints.
fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn fill(series: &Series, with: Option<&[Option<f64>]>) -> Series {
    let mut last = None;
    let filled = series.iter().enumerate().map(|(index, value)| {
        last = value.or(match with {
            Some(with) => with.get(index).copied().flatten(),
            None => last,
        });
        last
    });
    filled.collect()
}

fn map(value: Value, apply: impl Fn(f64) -> f64) -> Value {
    let over =
        |series: Series| series.into_iter().map(|value| value.and_then(|n| finite(apply(n)))).collect();
    match value {
        Value::Scalar(number) => Value::Scalar(apply(number)),
        Value::Series(series) => Value::Series(over(series)),
        Value::List(list) => Value::List(list.into_iter().map(over).collect()),
    }
}

fn zip(
    left: Value,
    right: Value,
    length: usize,
    apply: impl Fn(f64, f64) -> Option<f64>,
) -> Result<Value, String> {
    let over = |left: &Series, right: &Series| -> Series {
        let pairs = left.iter().zip(right);
        pairs.map(|(left, right)| left.zip(*right).and_then(|(left, right)| apply(left, right))).collect()
    };
    let is_list = matches!(left, Value::List(_)) || matches!(right, Value::List(_));
    let (left, right) = (left.into_series(length), right.into_series(length));
    let zipped: Vec<Series> = match (left.as_slice(), right.as_slice()) {
        (many, [one]) => many.iter().map(|series| over(series, one)).collect(),
        ([one], many) => many.iter().map(|series| over(one, series)).collect(),
        (some, others) if some.len() == others.len() => {
            some.iter().zip(others).map(|(one, other)| over(one, other)).collect()
        }
        (some, others) => {
            return Err(format!("{} series cannot be combined with {}", some.len(), others.len()));
        }
    };
    Ok(if is_list { Value::List(zipped) } else { Value::Series(zipped.concat()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Option<f64> = None;

    #[track_caller]
    fn check(text: &str, expect: &[Option<f64>]) {
        let series = BTreeMap::from([
            ("errors".to_owned(), vec![Some(5.0), None, Some(0.0)]),
            ("calls".to_owned(), vec![Some(100.0), Some(50.0), Some(0.0)]),
            ("gaps".to_owned(), vec![None, Some(2.0), None]),
        ]);
        let metrics: Vec<String> = ["errors", "calls"].map(str::to_owned).to_vec();
        let value = Expression::parse(text).unwrap().evaluate(&series, &metrics, 3).unwrap();
        assert_eq!(value, expect, "{text}");
    }

    #[test]
    fn a_rate_is_missing_where_an_operand_is_or_where_nobody_called() {
        check("errors / calls", &[Some(0.05), NONE, NONE]);
        check("100 * errors / calls", &[Some(5.0), NONE, NONE]);
        check("FILL(errors, 0) / calls * 100", &[Some(5.0), Some(0.0), NONE]);
        check("IF(calls > 0, FILL(errors, 0) / calls, 0)", &[Some(0.05), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        check("1 + 2 * 3", &[Some(7.0); 3]);
        check("(1 + 2) * 3", &[Some(9.0); 3]);
        check("-2 + 3", &[Some(1.0); 3]);
        check("8 / 4 / 2", &[Some(1.0); 3]);
        check("5 - 2 - 1", &[Some(2.0); 3]);
        check("1 < 2 AND 2 < 1 OR 1 == 1", &[Some(1.0); 3]);
        check("calls >= 50 && calls < 100", &[Some(0.0), Some(1.0), Some(0.0)]);
        check("1.5e2", &[Some(150.0); 3]);
    }

    #[test]
    fn functions_work_over_lists_by_period_and_over_one_series_by_time() {
        check("SUM(METRICS())", &[Some(105.0), Some(50.0), Some(0.0)]);
        check("SUM([errors, calls])", &[Some(105.0), Some(50.0), Some(0.0)]);
        check("MAX(METRICS(\"err\"))", &[Some(5.0), NONE, Some(0.0)]);
        check("AVG(calls)", &[Some(50.0); 3]);
        check("MIN(FILL(METRICS(), -1))", &[Some(5.0), Some(-1.0), Some(0.0)]);
        check("FILL(gaps, REPEAT)", &[NONE, Some(2.0), Some(2.0)]);
    }

    #[track_caller]
    fn refused(text: &str, part: &str) {
        let parsed = Expression::parse(text).and_then(|e| e.evaluate(&BTreeMap::new(), &[], 1));
        assert!(parsed.as_ref().is_err_and(|message| message.contains(part)), "{text}: {parsed:?}");
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        refused("1 +", "end");
        refused("(1", "end");
        refused("1 2", "2");
        refused("RATE(m1)", "RATE");
        refused("m1", "m1");
        refused("FILL(1)", "2 arguments");
        refused("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND");
        refused("1 ? 2", "?");
        refused(&format!("{}1{}", "(".repeat(100), ")".repeat(100)), "deep");
    }
}
