//! A SAM or CloudFormation template: its resources, with SAM's `Globals` merged in, and its parameters.

use std::collections::BTreeMap;

use super::document::{Content, Entry, Node, Place, Unreadable, read};

/// A template as it was read.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) root: Node,
    pub(super) resources: Vec<Resource>,
    /// The parameters whose values are known: given, or by default.
    pub(super) parameters: BTreeMap<String, String>,
}

/// A resource of a template.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    /// Where its name stands.
    pub(super) at: Place,
    pub(super) kind: String,
    /// Everything about it, with the merged properties.
    pub(super) body: Node,
}

/// The kinds of resource that are a Lambda function.
pub(super) const SAM_FUNCTION: &str = "AWS::Serverless::Function";
pub(super) const FUNCTION: &str = "AWS::Lambda::Function";

impl Resource {
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    pub(super) fn is_function(&self) -> bool {
        self.is(SAM_FUNCTION) || self.is(FUNCTION)
    }

    pub(super) fn property(&self, name: &str) -> Option<&Node> {
        self.body.get("Properties")?.get(name)
    }

    /// An attribute beside the properties, such as `DeletionPolicy`.
    pub(super) fn attribute(&self, name: &str) -> Option<&Node> {
        self.body.get(name)
    }
}

impl Template {
    /// Reads a template; the parameters given here come before the defaults.
    pub(super) fn parse(text: &str, given: &BTreeMap<String, String>) -> Result<Self, Unreadable> {
        let root = read(text)?;
        let resources = root.get("Resources").filter(|resources| !resources.entries().is_empty());
        let Some(resources) = resources else {
            let why = "it is not a SAM or CloudFormation template: it has no Resources";
            return Err(Unreadable { at: Some(root.at), why: why.to_owned() });
        };
        let globals = root.get("Globals").and_then(|globals| globals.get("Function"));
        let resources = resources.entries().iter().filter_map(|entry| resource(entry, globals)).collect();
        let parameters = parameters(&root, given);
        Ok(Self { resources, parameters, root })
    }

    pub(super) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |resource| resource.is(kind))
    }

    /// The keys that lead to a place; below a resource without its name. What `Globals` say has the path that it has there.
    pub(super) fn path_of(&self, at: Place) -> Option<String> {
        let mut path = path_to(&self.root, at)?;
        if path.first().is_some_and(|key| key == "Resources") {
            path.drain(..path.len().min(2));
        }
        Some(path.join("."))
    }
}

fn path_to(node: &Node, at: Place) -> Option<Vec<String>> {
    if node.at == at {
        return Some(Vec::new());
    }
    let items = node.items().iter().enumerate().map(|(index, item)| (index.to_string(), item));
    let entries = node.entries().iter().map(|entry| (entry.key.clone(), &entry.value));
    items.chain(entries).find_map(|(key, below)| {
        let mut path = path_to(below, at)?;
        path.insert(0, key);
        Some(path)
    })
}

/// What has no type is no resource: `Fn::ForEach`, say, whose resources cannot be known here.
fn resource(entry: &Entry, globals: Option<&Node>) -> Option<Resource> {
    let kind = entry.value.get("Type")?.as_text()?.to_owned();
    let mut body = entry.value.clone();
    if let (SAM_FUNCTION, Some(globals), Content::Map(attributes)) =
        (kind.as_str(), globals, &mut body.content)
    {
        let own = attributes.iter().position(|attribute| attribute.key == "Properties");
        match own.and_then(|index| attributes.get_mut(index)) {
            Some(properties) => properties.value = merge(globals, &properties.value),
            None => attributes.push(Entry {
                key: "Properties".to_owned(),
                at: globals.at,
                value: globals.clone(),
            }),
        }
    }
    Some(Resource { id: entry.key.clone(), at: entry.at, kind, body })
}

/// As SAM merges `Globals`: maps key by key, lists one behind the other, and of everything else the function's own.
fn merge(global: &Node, own: &Node) -> Node {
    let is_intrinsic = |node: &Node| node.intrinsic().is_some();
    let content = match (&global.content, &own.content) {
        (Content::List(global), Content::List(own)) => {
            Content::List(global.iter().chain(own).cloned().collect())
        }
        (Content::Map(_), Content::Map(entries)) if !is_intrinsic(global) && !is_intrinsic(own) => {
            let mut entries: Vec<Entry> = entries.clone();
            for inherited in global.entries() {
                match entries.iter_mut().find(|entry| entry.key == inherited.key) {
                    Some(entry) => entry.value = merge(&inherited.value, &entry.value),
                    None => entries.push(inherited.clone()),
                }
            }
            Content::Map(entries)
        }
        _ => return own.clone(),
    };
    Node::new(own.at, content)
}

fn parameters(root: &Node, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let declared = root.get("Parameters").map(Node::entries).unwrap_or_default();
    let default = |entry: &Entry| {
        // A default of this kind is the name of the parameter that holds the value, and not the value.
        let of_store = |kind: &&str| kind.starts_with("AWS::SSM::Parameter::Value");
        if entry.value.get("Type").and_then(Node::as_text).as_ref().is_some_and(of_store) {
            return None;
        }
        Some((entry.key.clone(), entry.value.get("Default")?.as_text()?.to_owned()))
    };
    let mut parameters: BTreeMap<_, _> = declared.iter().filter_map(default).collect();
    parameters.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Template {
        Template::parse(text, &BTreeMap::new()).expect("a template")
    }

    #[test]
    fn globals_are_merged_as_sam_merges_them() {
        let template = parse(
            "
Globals:
  Function:
    Timeout: 5
    Layers: [a]
    DeploymentPreference: {Type: AllAtOnce, Hooks: {PreTraffic: !Ref Hook}}
    Role: !GetAtt Shared.Arn
Resources:
  Own:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 7
      Layers: [b]
      DeploymentPreference: {Enabled: false}
      Role: !Ref Mine
  Bare:
    Type: AWS::Serverless::Function
  Other:
    Type: AWS::Lambda::Function
    Properties: {Handler: x}
",
        );
        let own = template.resource("Own").expect("Own");
        assert_eq!(own.property("Timeout").and_then(Node::as_text), Some("7"));
        assert_eq!(own.property("Layers").expect("layers").items().len(), 2);
        let preference = own.property("DeploymentPreference").expect("a preference");
        assert_eq!(preference.get("Enabled").and_then(Node::as_text), Some("false"));
        assert_eq!(preference.get("Type").and_then(Node::as_text), Some("AllAtOnce"));
        assert_eq!(own.property("Role").expect("a role").intrinsic().expect("one").0, "Ref");
        let bare = template.resource("Bare").expect("Bare");
        assert_eq!(bare.property("Timeout").and_then(Node::as_text), Some("5"));
        assert!(template.resource("Other").expect("Other").property("Timeout").is_none());

        let inherited = bare.property("DeploymentPreference").expect("inherited").get("Type").expect("type");
        assert_eq!(
            template.path_of(inherited.at).as_deref(),
            Some("Globals.Function.DeploymentPreference.Type")
        );
        let timeout = own.property("Timeout").expect("timeout");
        assert_eq!(template.path_of(timeout.at).as_deref(), Some("Properties.Timeout"));
    }

    #[test]
    fn what_has_no_resources_is_no_template() {
        for text in ["a: 1", "[]", "x", "Resources: {}", "Resources:\n"] {
            let error = Template::parse(text, &BTreeMap::new()).expect_err("no template");
            assert!(error.to_string().contains("it has no Resources"), "{error}");
        }
    }
}
