//! What a dashboard asks: the parameters that a person wrote into the widget, and what CloudWatch adds.

use std::fmt;

use ripcord::draw::Size;
use ripcord::names::{Generation, ServiceName};
use serde_json::Value;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What the widget is for.
    Describe,
    /// The latest release of every service.
    Everything,
    /// One service: its latest release, or a certain one.
    Service(ServiceName, Option<Generation>),
}

/// Where the answer is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) is_dark: bool,
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
}

/// What a widget of a quarter of a screen has; also what is drawn for where CloudWatch does not say.
const WIDTH: u32 = 600;
const HEIGHT: u32 = 400;
/// The frame, the headline and the list below the picture.
const BESIDE: u32 = 24;
const BELOW: u32 = 240;

impl Asked {
    /// Reads the parameters; an error is a sentence for whoever wrote them.
    pub fn read(event: &Value) -> Result<Self, String> {
        if event.get("describe").and_then(Value::as_bool) == Some(true) {
            return Ok(Self::Describe);
        }
        let release = match event.get("release") {
            None | Some(Value::Null) => None,
            Some(value) => Some(generation(value)?),
        };
        match event.get("service") {
            None | Some(Value::Null) if release.is_some() => {
                Err("release is given without service: name the service that it is a release of".to_owned())
            }
            None | Some(Value::Null) => Ok(Self::Everything),
            Some(Value::String(name)) => {
                let service = name.parse().map_err(|error| format!("service: {error}"))?;
                Ok(Self::Service(service, release))
            }
            Some(other) => Err(format!("service must be a name in quotes, and is {}", kind_of(other))),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Describe => f.write_str("what the widget is for"),
            Self::Everything => f.write_str("every service"),
            Self::Service(service, None) => write!(f, "the latest release of {service}"),
            Self::Service(service, Some(release)) => write!(f, "release {release} of {service}"),
        }
    }
}

/// A release may be given as a number, or as the text of one.
fn generation(value: &Value) -> Result<Generation, String> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map(Generation).ok_or_else(|| "release must be a number, like 4".to_owned())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Surface {
    /// Whatever CloudWatch does not say, or says in another way, is as it usually is.
    pub(crate) fn read(event: &Value) -> Self {
        let context = event.get("widgetContext");
        let pixels = |name: &str, otherwise: u32| {
            let number = context.and_then(|context| context.get(name)).and_then(Value::as_f64);
            number
                .filter(|pixels| pixels.is_finite())
                .map_or(otherwise, |pixels| pixels.clamp(0.0, 10_000.0) as u32)
        };
        Self {
            is_dark: context.and_then(|context| context.get("theme")).and_then(Value::as_str) == Some("dark"),
            width: pixels("width", WIDTH),
            height: pixels("height", HEIGHT),
        }
    }

    /// How large the picture may be.
    pub(crate) fn picture(self) -> Size {
        Size {
            width: self.width.saturating_sub(BESIDE).clamp(300, 1_600),
            height: self.height.saturating_sub(BELOW).clamp(90, 400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_read_or_refused_in_a_sentence() {
        let checkout = || "checkout".parse().expect("a name");
        for (event, expected) in [
            (json!({ "describe": true }), Ok(Asked::Describe)),
            (json!({ "describe": false }), Ok(Asked::Everything)),
            (json!({ "service": null, "widgetContext": {} }), Ok(Asked::Everything)),
            (json!({ "service": "checkout" }), Ok(Asked::Service(checkout(), None))),
            (
                json!({ "service": "checkout", "release": 4 }),
                Ok(Asked::Service(checkout(), Some(Generation(4)))),
            ),
            (
                json!({ "service": "checkout", "release": "4" }),
                Ok(Asked::Service(checkout(), Some(Generation(4)))),
            ),
            (json!({ "service": "checkout", "release": "four" }), Err("release must be a number, like 4")),
            (json!({ "service": "checkout", "release": -1 }), Err("release must be a number, like 4")),
            (json!({ "service": 7 }), Err("service must be a name in quotes, and is a number")),
            (
                json!({ "release": 4 }),
                Err("release is given without service: name the service that it is a release of"),
            ),
        ] {
            assert_eq!(Asked::read(&event), expected.map_err(str::to_owned), "{event}");
        }
        let refused = Asked::read(&json!({ "service": "<script>" })).expect_err("no name");
        assert!(refused.starts_with("service: the service name \"<script>\" is not valid"), "{refused}");
        for nonsense in [json!(null), json!([]), json!("checkout"), json!(7)] {
            assert_eq!(Asked::read(&nonsense), Ok(Asked::Everything));
        }
    }

    #[test]
    fn a_surface_that_nobody_describes_is_the_usual_one() {
        let usual = Surface { is_dark: false, width: WIDTH, height: HEIGHT };
        for event in [
            json!({}),
            json!({ "widgetContext": 7 }),
            json!({ "widgetContext": { "width": "wide", "theme": 1 } }),
        ] {
            assert_eq!(Surface::read(&event), usual, "{event}");
        }
        let given = json!({ "widgetContext": { "theme": "dark", "width": 588, "height": 369 } });
        assert_eq!(Surface::read(&given), Surface { is_dark: true, width: 588, height: 369 });
        let absurd = json!({ "widgetContext": { "width": -1e300, "height": 1e300 } });
        let size = Surface::read(&absurd).picture();
        assert_eq!((size.width, size.height), (300, 400));
    }
}
