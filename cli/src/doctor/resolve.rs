//! What the values of a template come to, as far as the template alone can tell.

use super::document::{Content, Node};
use super::template::{Resource, Template};

/// A text, perhaps with parts that nobody knows before the template is deployed; they stand in it as `${Name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// How many bytes of it are known before the first part that is not.
    known: usize,
}

/// Substitutions in substitutions could grow without end.
const TEXT_BYTES_MAX: usize = 8_192;
/// How `!Ref AWS::NoValue` is written out: the property is not there.
const NO_VALUE: &str = "AWS::NoValue";

impl Text {
    fn exactly(text: &str) -> Self {
        Self { text: text.to_owned(), known: text.len() }
    }

    fn unknown(name: &str) -> Self {
        Self { text: format!("${{{name}}}"), known: 0 }
    }

    fn push(&mut self, other: &Self) {
        if self.text.len() + other.text.len() > TEXT_BYTES_MAX {
            self.known = self.known.min(self.text.len());
            self.text.truncate(self.text.floor_char_boundary(TEXT_BYTES_MAX));
            self.text.push_str("${…}");
            return;
        }
        if self.known == self.text.len() {
            self.known += other.known;
        }
        self.text.push_str(&other.text);
    }

    /// The whole text, if all of it is known.
    pub(super) fn exact(&self) -> Option<&str> {
        (self.known == self.text.len()).then_some(&*self.text)
    }

    /// What it is sure to begin with.
    pub(super) fn prefix(&self) -> &str {
        self.text.get(..self.known).unwrap_or_default()
    }
}

impl Template {
    /// The values that a node may have: both branches of every `Fn::If`, and nothing for `AWS::NoValue`.
    pub(super) fn alternatives<'a>(&self, node: &'a Node) -> Vec<&'a Node> {
        match node.intrinsic() {
            Some(("Fn::If", branches)) => {
                branches.items().iter().skip(1).flat_map(|branch| self.alternatives(branch)).collect()
            }
            Some(("Ref", name)) if name.as_text() == Some(NO_VALUE) => Vec::new(),
            _ if matches!(node.content, Content::Null) => Vec::new(),
            _ => vec![node],
        }
    }

    /// Whether a node may be without a value, by `AWS::NoValue` in one of its branches.
    pub(super) fn may_be_absent(&self, node: &Node) -> bool {
        match node.intrinsic() {
            Some(("Fn::If", branches)) => {
                branches.items().iter().skip(1).any(|branch| self.may_be_absent(branch))
            }
            Some(("Ref", name)) => name.as_text() == Some(NO_VALUE),
            _ => matches!(node.content, Content::Null),
        }
    }

    /// The values that a key of a map may have.
    pub(super) fn all<'a>(&self, node: &'a Node, key: &str) -> Vec<&'a Node> {
        let found = self.alternatives(node).into_iter().filter_map(|map| map.get(key));
        found.flat_map(|value| self.alternatives(value)).collect()
    }

    /// The values that a property of a resource may have.
    pub(super) fn values<'a>(&self, resource: &'a Resource, name: &str) -> Vec<&'a Node> {
        resource.attribute("Properties").map(|node| self.all(node, name)).unwrap_or_default()
    }

    /// Everything that may be in a list; a single value counts as a list of one.
    pub(super) fn list<'a>(&self, node: &'a Node) -> Vec<&'a Node> {
        let of = |node: &'a Node| match &node.content {
            Content::List(items) => items.iter().flat_map(|item| self.alternatives(item)).collect(),
            Content::Null | Content::Text(_) | Content::Map(_) => vec![node],
        };
        self.alternatives(node).into_iter().flat_map(of).collect()
    }

    /// Everything that may be in a list that a property of a resource is.
    pub(super) fn listed<'a>(&self, resource: &'a Resource, name: &str) -> Vec<&'a Node> {
        resource.property(name).map(|node| self.list(node)).unwrap_or_default()
    }

    /// The text of a value, as far as it is known.
    pub(super) fn text(&self, node: &Node) -> Text {
        if let Some(text) = node.as_text() {
            return Text::exactly(text);
        }
        match node.intrinsic() {
            Some(("Ref", name)) => self.reference(name.as_text().unwrap_or_default()),
            Some(("Fn::Sub", argument)) => self.substituted(argument),
            Some(("Fn::Join", argument)) => self.joined(argument),
            Some(("Fn::GetAtt", argument)) => Text::unknown(&attribute_name(argument)),
            Some(("Fn::ImportValue", argument)) => Text::unknown(&self.text(argument).text),
            Some(("Fn::FindInMap", argument)) => {
                self.mapped(argument).unwrap_or_else(|| Text::unknown("FindInMap"))
            }
            Some((name, _)) => Text::unknown(name),
            None => Text::unknown("…"),
        }
    }

    /// The text of a property if all of it is known and it can have no other.
    pub(super) fn exact(&self, node: &Node, key: &str) -> Option<String> {
        match self.all(node, key).as_slice() {
            [only] => self.text(only).exact().map(str::to_owned),
            _ => None,
        }
    }

    /// The same as a number.
    pub(super) fn number(&self, node: &Node, key: &str) -> Option<f64> {
        self.exact(node, key)?.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A boolean in any spelling that YAML has had for it; nothing if it is not known.
    pub(super) fn boolean(&self, node: &Node) -> Option<bool> {
        match self.text(node).exact()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// The resource that a value names or is made from.
    pub(super) fn target(&self, node: &Node) -> Option<&Resource> {
        let name = match node.intrinsic()? {
            ("Ref", name) => name.as_text()?.to_owned(),
            ("Fn::GetAtt", argument) => attribute_name(argument),
            ("Fn::Sub", argument) => {
                return self.placeholders(argument).iter().find_map(|name| self.named(name));
            }
            ("Fn::Join", argument) => {
                return self.list(argument.items().get(1)?).into_iter().find_map(|item| self.target(item));
            }
            _ => return None,
        };
        self.named(&name)
    }

    /// `Fn.Alias` and `Fn.Arn` belong to `Fn`.
    pub(super) fn named(&self, name: &str) -> Option<&Resource> {
        self.resource(name.split('.').next().unwrap_or(name))
    }

    /// Every resource that is named anywhere in a value.
    pub(super) fn mentions<'a>(&'a self, node: &Node) -> Vec<&'a Resource> {
        let mut found: Vec<&Resource> = Vec::new();
        node.walk(&mut |node| match node.intrinsic() {
            Some(("Fn::Sub", argument)) => {
                found.extend(self.placeholders(argument).iter().filter_map(|name| self.named(name)));
            }
            Some(("Ref" | "Fn::GetAtt", _)) => found.extend(self.target(node)),
            _ => {}
        });
        found
    }

    fn reference(&self, name: &str) -> Text {
        self.parameters.get(name).map_or_else(|| Text::unknown(name), |value| Text::exactly(value))
    }

    fn substituted(&self, argument: &Node) -> Text {
        let (pattern, own) = match argument.items() {
            [pattern, own, ..] => (pattern, own.entries()),
            [pattern] => (pattern, &[][..]),
            [] => (argument, &[][..]),
        };
        let own: Vec<(&str, Text)> =
            own.iter().map(|entry| (entry.key.as_str(), self.text(&entry.value))).collect();
        let mut text = Text::exactly("");
        for piece in pieces(pattern.as_text().unwrap_or_default()) {
            match piece {
                Piece::Plain(plain) => text.push(&Text::exactly(plain)),
                Piece::Escaped(name) => text.push(&Text::exactly(&format!("${{{name}}}"))),
                Piece::Name(name) => match own.iter().find(|(key, _)| *key == name) {
                    Some((_, value)) => text.push(value),
                    None => text.push(&self.reference(name)),
                },
            }
        }
        text
    }

    fn joined(&self, argument: &Node) -> Text {
        let [delimiter, values] = argument.items() else { return Text::unknown("Join") };
        if !matches!(values.content, Content::List(_)) {
            return Text::unknown("Join");
        }
        let delimiter = self.text(delimiter);
        let mut text = Text::exactly("");
        for (index, value) in self.list(values).into_iter().enumerate() {
            if index > 0 {
                text.push(&delimiter);
            }
            text.push(&self.text(value));
        }
        text
    }

    fn mapped(&self, argument: &Node) -> Option<Text> {
        let [map, first, second] = argument.items() else { return None };
        let key = |node| self.text(node).exact().map(str::to_owned);
        let map = self.root.get("Mappings")?.get(&key(map)?)?;
        Some(self.text(map.get(&key(first)?)?.get(&key(second)?)?))
    }

    fn placeholders<'a>(&self, argument: &'a Node) -> Vec<&'a str> {
        let pattern = argument.items().first().unwrap_or(argument).as_text().unwrap_or_default();
        let name = |piece| match piece {
            Piece::Name(name) => Some(name),
            Piece::Plain(_) | Piece::Escaped(_) => None,
        };
        pieces(pattern).into_iter().filter_map(name).collect()
    }
}

/// `Fn::GetAtt` takes `A.B` and `[A, B]`.
fn attribute_name(argument: &Node) -> String {
    let parts: Vec<&str> = argument.items().iter().filter_map(Node::as_text).collect();
    argument.as_text().map_or_else(|| parts.join("."), str::to_owned)
}

enum Piece<'a> {
    Plain(&'a str),
    /// `${!Name}`, which stays as `${Name}`.
    Escaped(&'a str),
    Name(&'a str),
}

/// The pieces of a pattern of `Fn::Sub`.
fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        pieces.push(Piece::Plain(before));
        pieces.push(name.strip_prefix('!').map_or(Piece::Name(name.trim()), Piece::Escaped));
        rest = behind;
    }
    pieces.push(Piece::Plain(rest));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const TEMPLATE: &str = "
Parameters:
  Stage: {Type: String, Default: prod}
  Given: {Type: String}
  Stored: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}
Mappings:
  Limits: {prod: {Errors: 5}}
Resources:
  Fn: {Type: AWS::Serverless::Function, Properties: {}}
  Values:
    Type: X
    Properties:
";

    fn template(property: &str) -> Template {
        let text = format!("{TEMPLATE}      V: {property}\n");
        Template::parse(&text, &BTreeMap::from([("Given".to_owned(), "x".to_owned())])).expect("a template")
    }

    #[track_caller]
    fn check(property: &str, text: &str, prefix: &str) {
        let template = template(property);
        let value = template.resource("Values").and_then(|r| r.property("V")).expect("the value");
        let found = template.text(value);
        assert_eq!((found.text.as_str(), found.prefix()), (text, prefix), "{property}");
    }

    #[test]
    fn what_can_be_known_is_known() {
        check("plain", "plain", "plain");
        check("!Ref Stage", "prod", "prod");
        check("!Ref Given", "x", "x");
        check("!Ref Stored", "${Stored}", "");
        check("!Sub 'a-${Stage}-${Fn}-${Given}'", "a-prod-${Fn}-x", "a-prod-");
        check("!Sub ['${A}-${!B}', {A: !Ref Given}]", "x-${B}", "x-${B}");
        check("!Join ['-', [a, !Ref Stage, !Ref AWS::Region]]", "a-prod-${AWS::Region}", "a-prod-");
        check("!FindInMap [Limits, !Ref Stage, Errors]", "5", "5");
        check("!FindInMap [Limits, !Ref AWS::Region, Errors]", "${FindInMap}", "");
        check("!GetAtt Fn.Arn", "${Fn.Arn}", "");
        check("!ImportValue a-b", "${a-b}", "");
        check("!Sub 'a ${unclosed'", "a ${unclosed", "a ${unclosed");
    }

    #[test]
    fn substitutions_do_not_grow_without_end() {
        let nested =
            (0..40).fold("'x'".to_owned(), |inner, _| format!("!Sub ['${{A}}${{A}}', {{A: {inner}}}]"));
        let template = template(&nested);
        let value = template.resource("Values").and_then(|r| r.property("V")).expect("the value");
        assert!(template.text(value).text.len() <= TEXT_BYTES_MAX + 16);
        assert_eq!(template.text(value).exact(), None);
    }

    #[test]
    fn a_value_leads_to_its_resource() {
        for value in [
            "!Ref Fn",
            "!GetAtt Fn.Arn",
            "!GetAtt [Fn, Arn]",
            "!Sub '${Fn}:live'",
            "!Sub '${Fn.Arn}'",
            "!Ref Fn.Alias",
            "{'Fn::Join': [':', [!GetAtt Fn.Arn, live]]}",
        ] {
            let template = template(value);
            let node = template.resource("Values").and_then(|r| r.property("V")).expect("the value");
            assert_eq!(template.target(node).map(|found| found.id.as_str()), Some("Fn"), "{value}");
        }
    }

    #[test]
    fn both_branches_of_a_condition_are_looked_at() {
        let template = template("!If [C, [a, !If [D, b, !Ref AWS::NoValue]], !Ref AWS::NoValue]");
        let resource = template.resource("Values").expect("values");
        let node = resource.property("V").expect("the value");
        assert_eq!(template.list(node).len(), 2);
        assert!(template.may_be_absent(node));
    }
}
