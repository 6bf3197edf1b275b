//! A YAML or JSON document with the place of everything in it. It is built from the parser's events and not from a ready
//! tree, so that depth, aliases and size are bounded before they cost anything.

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde::Serialize;

/// CloudFormation takes a megabyte; a source that SAM still shortens may be longer.
const BYTES_MAX: usize = 4 << 20;
/// Aliases count as often as they are used.
const NODES_MAX: usize = 200_000;
/// CloudFormation itself refuses less.
const DEPTH_MAX: usize = 100;

/// A place in a file; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) content: Content,
    /// How many nodes it is, with everything in it.
    size: usize,
}

/// Short tags are spelled out: `!Ref X` is a map with the key `Ref`. Numbers and booleans stay text, as CloudFormation
/// takes them either way.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) value: Node,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unreadable {
    pub(super) at: Option<Place>,
    pub(super) why: String,
}

impl Unreadable {
    pub(super) fn because(why: impl Into<String>) -> Self {
        Self { at: None, why: why.into() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(Place { line, column }) => write!(f, "line {line}, column {column}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

impl Node {
    pub(super) fn new(at: Place, content: Content) -> Self {
        let size = 1 + match &content {
            Content::Null | Content::Text(_) => 0,
            Content::List(items) => items.iter().map(|item| item.size).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.size).sum(),
        };
        Self { at, content, size }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Null | Content::List(_) | Content::Map(_) => None,
        }
    }

    pub(super) fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            Content::Null | Content::Text(_) | Content::Map(_) => &[],
        }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Null | Content::Text(_) | Content::List(_) => &[],
        }
    }

    /// The entry of a key; if it stands there twice the last one counts, as it does for the SAM command line.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The name and the argument of an intrinsic function.
    pub(super) fn intrinsic(&self) -> Option<(&str, &Node)> {
        match self.entries() {
            [Entry { key, value, .. }] if key == "Ref" || key == "Condition" || key.starts_with("Fn::") => {
                Some((key, value))
            }
            _ => None,
        }
    }

    /// Everything below it and itself, outermost first.
    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        self.items().iter().for_each(|item| item.walk(visit));
        self.entries().iter().for_each(|entry| entry.value.walk(visit));
    }
}

/// Reads the one document of a file.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    if text.len() > BYTES_MAX {
        return Err(Unreadable::because(format!("it has {} bytes, more than {BYTES_MAX}", text.len())));
    }
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Unreadable {
            at: Some(error.marker().into()),
            why: format!("it is not well-formed YAML: {}", error.info()),
        })?;
        let at = Place::from(&span.start);
        builder.take(event, at).map_err(|why| Unreadable { at: Some(at), why })?;
    }
    builder.document.ok_or_else(|| Unreadable::because("it is empty"))
}

/// A list or a map that has not ended.
struct Open {
    at: Place,
    tag: Option<String>,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Place)> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    document: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), String> {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let content = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Content::Null,
                    text => Content::Text(text.to_owned()),
                };
                self.complete(Node::new(at, content), long_name(tag.as_deref()), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(at, tag.as_deref(), anchor, Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(at, tag.as_deref(), anchor, Items::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { at, tag, anchor, items }) = self.open.pop() else { return Ok(()) };
                let content = match items {
                    Items::List(items) => Content::List(items),
                    Items::Map { entries, .. } => Content::Map(merged(entries)),
                };
                self.complete(Node::new(at, content), tag, anchor)
            }
            Event::Alias(anchor) => {
                let anchored = self.anchors.get(&anchor).ok_or("an alias stands inside its own anchor")?;
                // Before it is copied: a few nested aliases would otherwise fill the memory.
                within_budget(self.nodes + anchored.size)?;
                let node = Node { at, ..anchored.clone() };
                self.nodes += node.size;
                self.place(node)
            }
        }
    }

    fn open(&mut self, at: Place, tag: Option<&Tag>, anchor: usize, items: Items) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        self.open.push(Open { at, tag: long_name(tag), anchor, items });
        Ok(())
    }

    fn complete(&mut self, node: Node, tag: Option<String>, anchor: usize) -> Result<(), String> {
        self.nodes += 1;
        within_budget(self.nodes)?;
        let at = node.at;
        let node = match tag {
            Some(key) => Node::new(at, Content::Map(vec![Entry { key, at, value: node }])),
            None => node,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), String> {
        match self.open.last_mut().map(|open| &mut open.items) {
            None if self.document.is_some() => {
                return Err("it holds more than one YAML document, and a template is one".to_owned());
            }
            None => self.document = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { entries, key }) => match key.take() {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => {
                    let text = match &node.content {
                        Content::Text(text) => text.clone(),
                        Content::Null => String::new(),
                        Content::List(_) | Content::Map(_) => return Err("a key is not a text".to_owned()),
                    };
                    *key = Some((text, node.at));
                }
            },
        }
        Ok(())
    }
}

fn within_budget(nodes: usize) -> Result<(), String> {
    if nodes <= NODES_MAX {
        Ok(())
    } else {
        Err(format!("it has more than {NODES_MAX} values, those of aliases included"))
    }
}

/// `!Sub` is `Fn::Sub`; two have no prefix. Tags of YAML itself say nothing here.
fn long_name(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| !tag.is_yaml_core_schema())?;
    Some(match tag.suffix.as_str() {
        plain @ ("Ref" | "Condition") => plain.to_owned(),
        other => format!("Fn::{other}"),
    })
}

/// `<<` takes another map's entries in where there are none of their own; the SAM command line knows it.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let sources = match merge.value.content {
            Content::List(maps) => maps,
            Content::Map(_) | Content::Text(_) | Content::Null => vec![merge.value],
        };
        for source in &sources {
            for entry in source.entries() {
                if own.iter().all(|known| known.key != entry.key) {
                    own.push(entry.clone());
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = read(text).expect_err("it is refused");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn yaml_and_json_are_read_alike() {
        let yaml = read("A: !Sub ${X}-y\nB:\n  - 1\n  - {C: !GetAtt D.Arn}\n").expect("YAML");
        let json = read(
            "{\n\t\"A\": {\"Fn::Sub\": \"${X}-y\"},\n\t\"B\": [1, {\"C\": {\"Fn::GetAtt\": \"D.Arn\"}}]}",
        )
        .expect("JSON");
        let shape = |node: &Node| {
            let mut shape = Vec::new();
            node.walk(&mut |node| {
                let keys: Vec<_> = node.entries().iter().map(|entry| entry.key.clone()).collect();
                shape.push((node.as_text().map(str::to_owned), keys));
            });
            shape
        };
        assert_eq!(shape(&yaml), shape(&json));
        assert_eq!(yaml.get("B").expect("B").items()[1].at, Place { line: 4, column: 5 });
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        let node = read("base: &base {A: 1, B: 2}\nuse:\n  <<: *base\n  B: 3\n").expect("YAML");
        let used = node.get("use").expect("use");
        let text = |key| used.get(key).and_then(Node::as_text);
        assert_eq!((text("A"), text("B")), (Some("1"), Some("3")));
    }

    #[test]
    fn what_cannot_be_a_template_is_refused_in_words() {
        refused("", "it is empty");
        refused("# nothing\n", "it is empty");
        refused("a: [1, 2\nb: 3\n", "line ");
        refused("a: 1\n---\nb: 2\n", "more than one YAML document");
        refused("? [a]\n: 1\n", "a key is not a text");
        refused("a: &a [*a]\n", "line 1");
        refused(&"- ".repeat(DEPTH_MAX + 1), "nested deeper than 100");
        refused(&"[".repeat(5_000), "line 1");
        refused(&" ".repeat(BYTES_MAX + 1), "more than 4194304");
        let depth = format!("{}x", "- ".repeat(DEPTH_MAX));
        read(&depth).expect("just not too deep");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused_before_it_is_built() {
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..30 {
            let alias = format!("*a{},", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
        }
        refused(&bomb, "more than 200000 values");
    }
}
