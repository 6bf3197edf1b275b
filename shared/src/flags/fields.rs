//! Reads the parts of a document, and says what is wrong with each without stopping at the first.

use std::collections::BTreeSet;

use super::bucket::Share;
use super::json::Node;
use super::limits::is_name;
use super::problem::{Path, Problems, shortened};

/// An object, of which each field is asked for by name.
#[derive(Clone, Copy)]
pub(super) struct Object<'n> {
    members: &'n [(String, Node)],
}

impl<'n> Object<'n> {
    /// Nothing, and said so, if it is no object. Fields that it may not have or that stand twice are said too.
    pub(super) fn open(
        node: &'n Node,
        path: &Path<'_>,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        let members = members(node, path, problems)?;
        for (name, _) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let message = format!("there is no such field; there are {}", known.join(", "));
            problems.say(path.name(name), "unknown-field", message);
        }
        Some(Self { members })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        self.members.iter().find(|(other, _)| other == name).map(|(_, node)| node)
    }

    /// What must be there.
    pub(super) fn required(&self, name: &str, path: &Path<'_>, problems: &mut Problems) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            problems.say(path.name(name), "missing-field", "it must be given");
        }
        node
    }
}

/// The members of an object. JSON lets a name stand twice, and readers differ in which they take: it is refused.
pub(super) fn members<'n>(
    node: &'n Node,
    path: &Path<'_>,
    problems: &mut Problems,
) -> Option<&'n [(String, Node)]> {
    let Node::Object(members) = node else {
        wrong(node, "an object", path, problems);
        return None;
    };
    let mut seen = BTreeSet::new();
    for (name, _) in members {
        if !seen.insert(name) {
            problems.say(path.name(name), "duplicate-name", "this name stands here twice");
        }
    }
    Some(members)
}

/// The elements of a list of no more than so many.
pub(super) fn list<'n>(
    node: &'n Node,
    length_max: usize,
    path: &Path<'_>,
    problems: &mut Problems,
) -> Option<&'n [Node]> {
    let Node::List(elements) = node else {
        wrong(node, "a list", path, problems);
        return None;
    };
    if elements.len() > length_max {
        problems.say(path, "too-many", format!("there are {}; there may be {length_max}", elements.len()));
        return None;
    }
    Some(elements)
}

/// A text of 1 to so many characters.
pub(super) fn text<'n>(
    node: &'n Node,
    length_max: usize,
    path: &Path<'_>,
    problems: &mut Problems,
) -> Option<&'n str> {
    let Node::Text(text) = node else {
        wrong(node, "a text", path, problems);
        return None;
    };
    let length = text.chars().count();
    if !(1..=length_max).contains(&length) {
        problems.say(
            path,
            "text-length",
            format!("it is {length} characters long; it has 1 to {length_max}"),
        );
        return None;
    }
    Some(text)
}

/// A flag's key or a variant's name.
pub(super) fn name<'n>(node: &'n Node, path: &Path<'_>, problems: &mut Problems) -> Option<&'n str> {
    let Node::Text(text) = node else {
        wrong(node, "a text", path, problems);
        return None;
    };
    is_valid_name(text, path, problems).then_some(text)
}

pub(super) fn is_valid_name(text: &str, path: &Path<'_>, problems: &mut Problems) -> bool {
    let is_valid = is_name(text);
    if !is_valid {
        let message = format!("{:?} is not 1 to 64 letters, digits, '-', '_' or '.'", shortened(text));
        problems.say(path, "invalid-name", message);
    }
    is_valid
}

pub(super) fn boolean(node: &Node, path: &Path<'_>, problems: &mut Problems) -> Option<bool> {
    if let Node::Boolean(value) = node {
        return Some(*value);
    }
    wrong(node, "true or false", path, problems);
    None
}

/// A number of percent.
pub(super) fn share(node: &Node, path: &Path<'_>, problems: &mut Problems) -> Option<Share> {
    let Node::Number(percent) = node else {
        wrong(node, "a number", path, problems);
        return None;
    };
    match Share::of_percent(*percent) {
        Ok(share) => Some(share),
        Err(invalid) => {
            let (rule, message) = invalid.said_of(*percent);
            problems.say(path, rule, message);
            None
        }
    }
}

pub(super) fn wrong(node: &Node, wanted: &str, path: &Path<'_>, problems: &mut Problems) {
    let rule = if *node == Node::TooDeep { "too-deep" } else { "wrong-type" };
    problems.say(path, rule, format!("it must be {wanted}, not {}", node.kind()));
}
