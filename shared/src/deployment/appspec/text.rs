//! JSON or YAML as a tree, with a bound on its size and depth whatever it holds: a document from elsewhere must not be able to
//! end the process that reads it.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

/// Real ones have a few hundred bytes.
const BYTES_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 32;
/// Scalars, lists and maps, those that an alias repeats among them.
const NODES_MAX: usize = 2_000;

/// Reads a document. Scalars of YAML stay the texts that they are.
pub(super) fn read(text: &str) -> Result<Value, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("is {} bytes long, and {BYTES_MAX} at most are read", text.len()));
    }
    match serde_json::from_str(text) {
        Ok(tree) => Ok(tree),
        Err(_) => read_yaml(text),
    }
}

fn read_yaml(text: &str) -> Result<Value, String> {
    let mut tree = Tree::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, _) = event.map_err(|error| format!("is neither JSON nor YAML: {error}"))?;
        if let Some(document) = tree.take(event)? {
            return Ok(document);
        }
    }
    Err("is empty".to_owned())
}

/// A tree that is being read.
#[derive(Default)]
struct Tree {
    /// The lists and maps that have begun, each within the one before.
    open: Vec<Open>,
    anchored: BTreeMap<usize, Value>,
    nodes: usize,
}

struct Open {
    anchor: usize,
    branch: Branch,
}

enum Branch {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

impl Tree {
    /// Takes the parser's next event, and gives the tree once it is whole.
    fn take(&mut self, event: Event<'_>) -> Result<Option<Value>, String> {
        match event {
            Event::SequenceStart(anchor, _) => self.begin(anchor, Branch::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(anchor, Branch::Map(Map::new(), None)),
            Event::Scalar(text, _, anchor, _) => self.add(anchor, Value::String(text.into_owned())),
            Event::Alias(anchor) => {
                let copy = self.anchored.get(&anchor).cloned().ok_or("repeats what it has not named")?;
                self.nodes += nodes_of(&copy);
                self.add(0, copy)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { anchor, branch: Branch::List(items) }) => self.add(anchor, Value::Array(items)),
                Some(Open { anchor, branch: Branch::Map(fields, _) }) => {
                    self.add(anchor, Value::Object(fields))
                }
                None => Ok(None),
            },
            Event::DocumentEnd => Err("is empty".to_owned()),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(None),
        }
    }

    fn begin(&mut self, anchor: usize, branch: Branch) -> Result<Option<Value>, String> {
        self.open.push(Open { anchor, branch });
        if self.open.len() > DEPTH_MAX {
            return Err(format!("is nested more than {DEPTH_MAX} levels deep"));
        }
        Ok(None)
    }

    fn add(&mut self, anchor: usize, node: Value) -> Result<Option<Value>, String> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(format!("has more than {NODES_MAX} parts"));
        }
        // The parser numbers anchors from 1.
        if anchor > 0 {
            self.anchored.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.branch) {
            None => return Ok(Some(node)),
            Some(Branch::List(items)) => items.push(node),
            Some(Branch::Map(fields, key)) => match (key.take(), node) {
                (Some(key), value) => drop(fields.insert(key, value)),
                (None, Value::String(name)) => *key = Some(name),
                (None, other) => return Err(format!("has a key that is no text: {other}")),
            },
        }
        Ok(None)
    }
}

fn nodes_of(tree: &Value) -> usize {
    match tree {
        Value::Array(items) => 1 + items.iter().map(nodes_of).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(nodes_of).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}
