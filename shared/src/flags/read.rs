//! From a text to flags, or to everything that is wrong with it.

use std::collections::BTreeSet;

use super::bucket::Share;
use super::condition::{Condition, Operator, Scalar};
use super::fields::{Object, boolean, is_valid_name, list, members, name, share, text, wrong};
use super::flag::{Flag, Outcome, Prerequisite, Rule, Variant};
use super::json::Node;
use super::limits::{
    ALLOWLIST_MAX, DESCRIPTION_LENGTH_MAX, FLAGS_MAX, PREREQUISITES_MAX, RULE_NAME_LENGTH_MAX, RULES_MAX,
    TEXT_BYTES_MAX, VALUE_LENGTH_MAX, VALUES_MAX, VARIANTS_MAX,
};
use super::prerequisites::resolve;
use super::problem::{Invalid, Path, Problems, shortened};
use super::{ATTRIBUTE_NAME_LENGTH_MAX, Flags};

/// The attribute that holds the subject, unless the flag names another.
pub(super) const SUBJECT: &str = "user_id";

pub(super) fn read(bytes: &[u8]) -> Result<Flags, Invalid> {
    let mut problems = Problems::default();
    let flags = document(bytes, &mut problems);
    problems.into_invalid().map_or(Ok(Flags { flags }), Err)
}

/// The flags, sorted by key. Where something is wrong with one, what is wrong is said, and the rest of it is read all
/// the same.
fn document(bytes: &[u8], problems: &mut Problems) -> Vec<Flag> {
    let root = Path::ROOT;
    if bytes.len() > TEXT_BYTES_MAX {
        problems.say(
            root,
            "too-large",
            format!("it has {} bytes; it may have {TEXT_BYTES_MAX}", bytes.len()),
        );
        return Vec::new();
    }
    let node = match Node::read(bytes) {
        Ok(node) => node,
        Err(error) => {
            problems.say(root, "not-json", error.to_string());
            return Vec::new();
        }
    };
    let Some(fields) = Object::open(&node, &root, &["$schema", "version", "flags"], problems) else {
        return Vec::new();
    };
    fields.get("$schema").map(|node| text(node, DESCRIPTION_LENGTH_MAX, &root.name("$schema"), problems));
    match fields.required("version", &root, problems) {
        Some(Node::Number(1.0)) | None => {}
        Some(Node::Number(version)) => {
            problems.say(
                root.name("version"),
                "unsupported-version",
                format!("{version} is not known; there is 1"),
            );
        }
        Some(node) => wrong(node, "a number", &root.name("version"), problems),
    }
    fields.required("flags", &root, problems).map_or_else(Vec::new, |node| flags(node, problems))
}

fn flags(node: &Node, problems: &mut Problems) -> Vec<Flag> {
    let path = Path::ROOT.name("flags");
    let path = &path;
    let Some(members) = members(node, path, problems) else { return Vec::new() };
    if members.len() > FLAGS_MAX {
        problems.say(path, "too-many", format!("there are {}; there may be {FLAGS_MAX}", members.len()));
        return Vec::new();
    }
    let known: BTreeSet<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    let mut flags = Vec::with_capacity(members.len());
    for (key, node) in members {
        let path = path.name(key);
        is_valid_name(key, &path, problems);
        flags.extend(Reader { path: &path, problems }.flag(key, node));
    }
    flags.sort_by(|one, other| one.key.cmp(&other.key));
    // One that stands twice has been refused already.
    flags.dedup_by(|one, other| one.key == other.key);
    resolve(&mut flags, &known, path, problems);
    flags
}

/// Reads a flag.
struct Reader<'r> {
    path: &'r Path<'r>,
    problems: &'r mut Problems,
}

/// A flag's variants, as far as rules may be held against them: not if one of them could not be read.
struct Known<'v> {
    variants: Option<&'v [Variant]>,
}

impl Known<'_> {
    fn place(&self, name: &str, path: &Path<'_>, problems: &mut Problems) -> Option<usize> {
        let variants = self.variants?;
        let place = variants.iter().position(|variant| *variant.name == *name);
        if place.is_none() {
            problems.say(path, "unknown-variant", format!("the flag has no variant {name}"));
        }
        place
    }
}

impl Reader<'_> {
    fn flag(&mut self, key: &str, node: &Node) -> Option<Flag> {
        const FIELDS: [&str; 10] = [
            "description",
            "owner",
            "enabled",
            "rollout_percentage",
            "subject",
            "allowlist",
            "variants",
            "rules",
            "prerequisites",
            "default",
        ];
        let path = self.path;
        let fields = Object::open(node, path, &FIELDS, self.problems)?;
        let is_enabled = fields
            .required("enabled", path, self.problems)
            .and_then(|node| boolean(node, &path.name("enabled"), self.problems));
        let said = |name, problems: &mut Problems| -> Option<Box<str>> {
            text(fields.get(name)?, DESCRIPTION_LENGTH_MAX, &path.name(name), problems).map(Into::into)
        };
        let description = said("description", self.problems);
        let owner = said("owner", self.problems);
        let subject = fields
            .get("subject")
            .and_then(|node| text(node, ATTRIBUTE_NAME_LENGTH_MAX, &path.name("subject"), self.problems));
        let variants = fields.get("variants").map(|node| self.variants(node));
        let known = Known { variants: variants.as_ref().map_or(Some(&[]), |read| read.as_deref()) };
        let allowlist = fields.get("allowlist").map(|node| self.allowlist(node)).unwrap_or_default();
        let rules = fields.get("rules").map(|node| self.rules(node, &known)).unwrap_or_default();
        let prerequisites =
            fields.get("prerequisites").map(|node| self.prerequisites(node)).unwrap_or_default();
        let default = fields.get("default").map(|node| self.default(node, &known));
        let rollout = fields
            .get("rollout_percentage")
            .map(|node| share(node, &path.name("rollout_percentage"), self.problems).unwrap_or(Share::NONE));
        let is_rest_said = rollout.is_some() || default.is_some();
        if !is_rest_said && (fields.get("rules").is_some() || fields.get("allowlist").is_some()) {
            let message =
                "with rules or an allowlist it must say what all others get: rollout_percentage or default";
            self.problems.say(path, "unsaid-default", message);
        }
        Some(Flag {
            key: key.into(),
            description,
            owner,
            is_enabled: is_enabled.unwrap_or(false),
            subject: subject.unwrap_or(SUBJECT).into(),
            prerequisites,
            allowlist,
            rules,
            rollout: if is_rest_said { rollout } else { Some(Share::ALL) },
            default: default.unwrap_or_default(),
            variants: variants.flatten().unwrap_or_default(),
        })
    }

    fn allowlist(&mut self, node: &Node) -> Vec<Box<str>> {
        let path = self.path.name("allowlist");
        let entries = list(node, ALLOWLIST_MAX, &path, self.problems).unwrap_or_default();
        let mut allowlist: Vec<Box<str>> = entries
            .iter()
            .enumerate()
            .filter_map(|(index, node)| text(node, VALUE_LENGTH_MAX, &path.index(index), self.problems))
            .map(Into::into)
            .collect();
        allowlist.sort_unstable();
        allowlist
    }

    /// Nothing if one of them could not be read.
    fn variants(&mut self, node: &Node) -> Option<Vec<Variant>> {
        let path = self.path.name("variants");
        let nodes = list(node, VARIANTS_MAX, &path, self.problems)?;
        let read: Vec<Option<Variant>> =
            nodes.iter().enumerate().map(|(index, node)| self.variant(node, &path.index(index))).collect();
        let mut names = BTreeSet::new();
        for (index, variant) in read.iter().enumerate() {
            if let Some(Variant { name, .. }) =
                variant.as_ref().filter(|variant| !names.insert(&variant.name))
            {
                let message = format!("there is another variant {name}");
                self.problems.say(path.index(index).name("name"), "duplicate-variant", message);
            }
        }
        let variants: Vec<Variant> = read.into_iter().collect::<Option<_>>()?;
        let sum: u32 = variants.iter().map(|variant| u32::from(variant.weight.hundredths())).sum();
        if sum != u32::from(Share::ALL.hundredths()) {
            self.problems.say(
                path,
                "weights-sum",
                format!("the weights make {}, not 100", f64::from(sum) / 100.0),
            );
        }
        Some(variants)
    }

    fn variant(&mut self, node: &Node, path: &Path<'_>) -> Option<Variant> {
        let fields = Object::open(node, path, &["name", "weight"], self.problems)?;
        let name = fields
            .required("name", path, self.problems)
            .and_then(|node| name(node, &path.name("name"), self.problems));
        let weight = fields
            .required("weight", path, self.problems)
            .and_then(|node| share(node, &path.name("weight"), self.problems));
        Some(Variant { name: name?.into(), weight: weight? })
    }

    fn rules(&mut self, node: &Node, known: &Known<'_>) -> Vec<Rule> {
        let path = self.path.name("rules");
        let rules = list(node, RULES_MAX, &path, self.problems).unwrap_or_default();
        rules
            .iter()
            .enumerate()
            .filter_map(|(index, node)| self.rule(node, known, &path.index(index)))
            .collect()
    }

    fn rule(&mut self, node: &Node, known: &Known<'_>, path: &Path<'_>) -> Option<Rule> {
        const FIELDS: [&str; 5] = ["name", "attribute", "operator", "values", "then"];
        let fields = Object::open(node, path, &FIELDS, self.problems)?;
        let name = fields
            .get("name")
            .and_then(|node| text(node, RULE_NAME_LENGTH_MAX, &path.name("name"), self.problems));
        let attribute = fields
            .required("attribute", path, self.problems)
            .and_then(|node| text(node, ATTRIBUTE_NAME_LENGTH_MAX, &path.name("attribute"), self.problems));
        let operator = fields
            .required("operator", path, self.problems)
            .and_then(|node| self.operator(node, &path.name("operator")));
        let values = match fields.get("values") {
            Some(node) => self.values(node, &path.name("values")),
            None => Some(Vec::new()),
        };
        let condition = operator.zip(values).and_then(|(operator, values)| {
            Condition::of(operator, values)
                .map_err(|(rule, message)| self.problems.say(path.name("values"), rule, message))
                .ok()
        });
        let (then, share) = match fields.get("then") {
            Some(node) => self.outcome(node, known, &path.name("then"))?,
            None => (Outcome::ON, None),
        };
        Some(Rule {
            name: name.map(Into::into),
            attribute: attribute?.into(),
            operator: operator?,
            condition: condition?,
            then,
            share,
        })
    }

    fn operator(&mut self, node: &Node, path: &Path<'_>) -> Option<Operator> {
        let Node::Text(text) = node else {
            wrong(node, "a text", path, self.problems);
            return None;
        };
        let operator = Operator::ALL.into_iter().find(|operator| operator.name() == text);
        if operator.is_none() {
            let names = Operator::ALL.map(Operator::name).join(", ");
            let message = format!("{:?} is no operator; there are {names}", shortened(text));
            self.problems.say(path, "unknown-operator", message);
        }
        operator
    }

    /// Nothing if one of them could not be read.
    fn values(&mut self, node: &Node, path: &Path<'_>) -> Option<Vec<Scalar>> {
        let nodes = list(node, VALUES_MAX, path, self.problems)?;
        let mut values = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let path = path.index(index);
            match node {
                Node::Boolean(value) => values.push(Scalar::Boolean(*value)),
                Node::Number(value) => values.push(Scalar::Number(*value)),
                Node::Text(_) => {
                    let read = text(node, VALUE_LENGTH_MAX, &path, self.problems);
                    values.extend(read.map(|text| Scalar::Text(text.to_owned())));
                }
                Node::Null | Node::List(_) | Node::Object(_) | Node::TooDeep => {
                    wrong(node, "a text, a number, true or false", &path, self.problems);
                }
            }
        }
        (values.len() == nodes.len()).then_some(values)
    }

    /// What a rule answers, and for what share of those that it matches.
    fn outcome(
        &mut self,
        node: &Node,
        known: &Known<'_>,
        path: &Path<'_>,
    ) -> Option<(Outcome, Option<Share>)> {
        let fields = Object::open(node, path, &["enabled", "variant", "percentage"], self.problems)?;
        let enabled =
            fields.get("enabled").and_then(|node| boolean(node, &path.name("enabled"), self.problems));
        let variant = fields.get("variant").and_then(|node| self.named(node, known, &path.name("variant")));
        let percentage =
            fields.get("percentage").map(|node| share(node, &path.name("percentage"), self.problems));
        if enabled == Some(false) && percentage.is_some() {
            let message = "a share of those that are off has no meaning";
            self.problems.say(path.name("percentage"), "contradiction", message);
        }
        Some((Outcome { enabled: enabled.unwrap_or(true), variant }, percentage.flatten()))
    }

    fn default(&mut self, node: &Node, known: &Known<'_>) -> Outcome {
        let path = self.path.name("default");
        let Some(fields) = Object::open(node, &path, &["enabled", "variant"], self.problems) else {
            return Outcome::default();
        };
        let enabled = fields
            .required("enabled", &path, self.problems)
            .and_then(|node| boolean(node, &path.name("enabled"), self.problems));
        let named = fields.get("variant");
        let variant = named.and_then(|node| self.named(node, known, &path.name("variant")));
        // Whoever gets it may have no subject that a variant could be chosen for.
        if enabled == Some(true)
            && named.is_none()
            && known.variants.is_some_and(|variants| !variants.is_empty())
        {
            let message = "a default that is on names one of the flag's variants";
            self.problems.say(path, "default-without-variant", message);
        }
        Outcome { enabled: enabled.unwrap_or(false), variant }
    }

    fn named(&mut self, node: &Node, known: &Known<'_>, path: &Path<'_>) -> Option<usize> {
        known.place(name(node, path, self.problems)?, path, self.problems)
    }

    fn prerequisites(&mut self, node: &Node) -> Vec<Prerequisite> {
        let path = self.path.name("prerequisites");
        let nodes = list(node, PREREQUISITES_MAX, &path, self.problems).unwrap_or_default();
        nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| {
                let path = path.index(index);
                let fields = Object::open(node, &path, &["flag", "variant"], self.problems)?;
                let key = fields
                    .required("flag", &path, self.problems)
                    .and_then(|node| name(node, &path.name("flag"), self.problems));
                let variant =
                    fields.get("variant").and_then(|node| name(node, &path.name("variant"), self.problems));
                Some(Prerequisite { key: key?.into(), flag: 0, variant: variant.map(Into::into) })
            })
            .collect()
    }
}
