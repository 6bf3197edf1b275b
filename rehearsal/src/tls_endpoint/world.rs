//! The little of AWS that one rollback sees: items, aliases with their revisions, a topic, a log with one error in it.
//!
//! Writes are applied and conditions are not looked at: there is one writer at a time, and what the conditions
//! protect from is tested elsewhere, against a full local AWS.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Map, Value, json};

/// What one call is answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The call, as IAM names it.
    pub call: String,
    /// The HTTP status.
    pub status: u16,
    /// The media type of the service's protocol.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// An item in DynamoDB's own notation.
type Item = Map<String, Value>;

/// The state behind the three services. A clone of it is a picture to return to.
#[derive(Clone, Debug, Default)]
pub struct World {
    items: BTreeMap<(String, String), Item>,
    aliases: BTreeMap<(String, String), Value>,
    revisions: u64,
    published: u64,
}

impl World {
    /// Lets `alias` of `function` serve `version`, and `weights` beside it.
    pub fn put_alias(&mut self, function: &str, alias: &str, version: &str, weights: &Value) {
        self.revisions += 1;
        let mut value = json!({
            "AliasArn": format!("arn:aws:lambda:us-east-1:000000000000:function:{function}:{alias}"),
            "Name": alias,
            "FunctionVersion": version,
            "Description": "",
            "RevisionId": format!("00000000-0000-4000-8000-{:012x}", self.revisions),
        });
        if weights.as_object().is_some_and(|weights| !weights.is_empty()) {
            value["RoutingConfig"] = json!({"AdditionalVersionWeights": weights});
        }
        self.aliases.insert((function.to_owned(), alias.to_owned()), value);
    }

    /// Puts an item, in DynamoDB's own notation, into the table.
    pub fn put_item(&mut self, item: &Value) {
        self.items.insert(key_of(item), item.as_object().cloned().unwrap_or_default());
    }

    /// An alias as `GetAlias` shows it.
    #[must_use]
    pub fn alias(&self, function: &str, alias: &str) -> Option<&Value> {
        self.aliases.get(&(function.to_owned(), alias.to_owned()))
    }

    /// How many notices were published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Every item of the table.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    pub(super) fn dynamodb(&mut self, target: &str, body: &[u8]) -> Answer {
        let operation = target.rsplit('.').next().unwrap_or_default();
        let request: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let answered = match operation {
            "Query" => self.query(&request),
            "GetItem" => Some(match self.items.get(&key_of(&request["Key"])) {
                Some(item) => json!({"Item": item}),
                None => json!({}),
            }),
            "PutItem" => self.put(&request),
            "TransactWriteItems" => self.transact(&request),
            // Its answer is asked for by nobody here, and the next run starts from a picture.
            "UpdateItem" | "DeleteItem" => Some(json!({})),
            _ => None,
        };
        let (status, body) = answered.map_or_else(
            || (400, json!({"__type": "com.amazon.coral.service#UnknownOperationException"})),
            |body| (200, body),
        );
        let call = format!("dynamodb:{operation}");
        Answer { call, status, content_type: "application/x-amz-json-1.0", body: body.to_string() }
    }

    /// All items of one partition: the only kind of query that the ledger makes.
    fn query(&self, request: &Value) -> Option<Value> {
        let condition = request["KeyConditionExpression"].as_str()?;
        let placeholder = condition.split('=').nth(1)?.split_whitespace().next()?;
        let partition = request["ExpressionAttributeValues"][placeholder]["S"].as_str()?;
        let items: Vec<&Item> =
            self.items.iter().filter(|((pk, _), _)| pk == partition).map(|(_, item)| item).collect();
        Some(json!({"Count": items.len(), "ScannedCount": items.len(), "Items": items}))
    }

    fn put(&mut self, request: &Value) -> Option<Value> {
        self.put_item(request.get("Item")?);
        Some(json!({}))
    }

    fn transact(&mut self, request: &Value) -> Option<Value> {
        for action in request["TransactItems"].as_array()? {
            if action["Put"].is_object() {
                self.put(&action["Put"])?;
            }
        }
        Some(json!({}))
    }

    /// What the version that is taken back had logged.
    pub(super) fn logs(target: &str) -> Answer {
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = json!({
            "events": [{
                "eventId": "1", "ingestionTime": 0, "timestamp": 0, "logStreamName": "2026/01/01/[2]0000",
                "message": "ERROR payment provider answered 500\n",
            }],
            "searchedLogStreams": [],
        });
        let (status, body) = if operation == "FilterLogEvents" { (200, body) } else { (400, json!({})) };
        let call = format!("logs:{operation}");
        Answer { call, status, content_type: "application/x-amz-json-1.1", body: body.to_string() }
    }

    pub(super) fn lambda(&mut self, method: &Method, path: &str, body: &[u8]) -> Answer {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (call, answered) = match (method, parts.as_slice()) {
            (&Method::GET, ["2015-03-31", "functions", function, "aliases", alias]) => {
                ("lambda:GetAlias", self.alias(function, alias).cloned().ok_or(404))
            }
            (&Method::PUT, ["2015-03-31", "functions", function, "aliases", alias]) => {
                ("lambda:UpdateAlias", self.update_alias(function, alias, body))
            }
            _ => ("lambda:Unknown", Err(404)),
        };
        let (status, body) = match answered {
            Ok(alias) => (200, alias),
            Err(412) => (412, json!({"Type": "User", "Message": "The Revision Id provided does not match"})),
            Err(status) => (status, json!({"Type": "User", "Message": "Cannot find it"})),
        };
        Answer { call: call.to_owned(), status, content_type: "application/json", body: body.to_string() }
    }

    fn update_alias(&mut self, function: &str, alias: &str, body: &[u8]) -> Result<Value, u16> {
        let request: Value = serde_json::from_slice(body).map_err(|_| 400_u16)?;
        let current = self.alias(function, alias).cloned().ok_or(404_u16)?;
        let revision = &request["RevisionId"];
        if !revision.is_null() && *revision != current["RevisionId"] {
            return Err(412);
        }
        let version =
            request["FunctionVersion"].as_str().or(current["FunctionVersion"].as_str()).unwrap_or_default();
        // Lambda keeps the old weights when the field is left out.
        let weights = if request["RoutingConfig"].is_null() { &current } else { &request };
        self.put_alias(function, alias, version, &weights["RoutingConfig"]["AdditionalVersionWeights"]);
        self.alias(function, alias).cloned().ok_or(404)
    }

    pub(super) fn sns(&mut self, body: &[u8]) -> Answer {
        let published =
            form_urlencoded::parse(body).any(|(name, value)| (&*name, &*value) == ("Action", "Publish"));
        self.published += u64::from(published);
        let id = format!("00000000-0000-4000-8000-{:012x}", self.published);
        let body = format!(
            "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>{id}\
             </MessageId></PublishResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
             </PublishResponse>"
        );
        let (call, status) = if published { ("sns:Publish", 200) } else { ("sns:Unknown", 400) };
        Answer { call: call.to_owned(), status, content_type: "text/xml", body }
    }
}

fn key_of(item: &Value) -> (String, String) {
    let part = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
    (part("pk"), part("sk"))
}
