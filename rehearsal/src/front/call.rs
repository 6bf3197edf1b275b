//! What one AWS request is: service, operation, resource, caller and protocol, read from the request alone. It must not
//! judge or change the request.

use super::rest;
use hyper::{HeaderMap, Method, Uri, header::AUTHORIZATION};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// Signs what the traffic driver sends: the journal leaves it out, and faults leave it alone.
pub(crate) const TRAFFIC_KEY: &str = "rehearsal-traffic";
/// Signs what the rehearsal itself does: deployments and alarm actions.
pub(crate) const REHEARSAL_KEY: &str = "rehearsal-itself";
/// Signs what CodeDeploy calls: aliases and hooks.
pub(crate) const CODEDEPLOY_KEY: &str = "rehearsal-codedeploy";
/// Signs what Step Functions calls for a task.
const STATES_KEY: &str = "rehearsal-states";
/// The launcher signs each function's calls with this prefix and the function's name.
const FUNCTION_PREFIX: &str = "FN.";
/// Larger bodies are code packages, and none of them names a resource.
const BODY_BYTES_READ_MAX: usize = 1 << 20;
/// What a form names as its resource: the first of these that it has.
const FORM_RESOURCES: [&str; 10] = [
    "TopicArn",
    "StackName",
    "QueueUrl",
    "AlarmName",
    "RuleArn",
    "ListenerArn",
    "TargetGroupArn",
    "TargetDBInstanceIdentifier",
    "DBInstanceIdentifier",
    "RoleArn",
];
/// The same for a JSON document.
const JSON_RESOURCES: [&str; 14] = [
    "TableName",
    "TopicArn",
    "QueueUrl",
    "stateMachineAliasArn",
    "stateMachineArn",
    "executionArn",
    "AlarmName",
    "deploymentId",
    "applicationName",
    "serviceDeploymentArn",
    "service",
    "task",
    "taskDefinition",
    "repositoryName",
];

/// Who made a call, told by its access key id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A Lambda function that runs in the local AWS.
    Function(String),
    /// The traffic driver.
    Traffic,
    /// The rehearsal itself: deployments, alarm actions.
    Rehearsal,
    /// Step Functions, for a task of an execution.
    States,
    /// CodeDeploy, for a deployment.
    CodeDeploy,
    /// Anybody else, by access key id.
    Other(String),
    /// An unsigned request.
    Unsigned,
}

impl Caller {
    fn of(access_key_id: Option<&str>) -> Self {
        match access_key_id {
            None => Self::Unsigned,
            Some(TRAFFIC_KEY) => Self::Traffic,
            Some(REHEARSAL_KEY) => Self::Rehearsal,
            Some(STATES_KEY) => Self::States,
            Some(CODEDEPLOY_KEY) => Self::CodeDeploy,
            Some(key) => match key.strip_prefix(FUNCTION_PREFIX) {
                Some(function) => Self::Function(function.to_owned()),
                None => Self::Other(key.to_owned()),
            },
        }
    }

    /// True for the system under test: what faults may hit.
    #[must_use]
    pub fn is_under_test(&self) -> bool {
        match self {
            Self::Function(_) | Self::States | Self::Other(_) | Self::Unsigned => true,
            Self::Traffic | Self::Rehearsal | Self::CodeDeploy => false,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "function {name}"),
            Self::Traffic => f.write_str("traffic"),
            Self::Rehearsal => f.write_str("rehearsal"),
            Self::States => f.write_str("states"),
            Self::CodeDeploy => f.write_str("codedeploy"),
            Self::Other(key) => write!(f, "key {key}"),
            Self::Unsigned => f.write_str("unsigned"),
        }
    }
}

impl Serialize for Caller {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a service's requests, answers and errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Lambda and other REST services with JSON bodies.
    RestJson,
    /// `X-Amz-Target` names the operation.
    Json,
    /// A form with `Action=`, answered in XML; and Route 53, whose errors are the same.
    Query,
    /// `/service/S/operation/O` with CBOR bodies.
    Cbor,
    /// S3.
    RestXml,
}

/// One AWS call, as far as the front needs to know it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) service: String,
    /// What the caller signed for; each region has things of its own.
    pub(crate) region: String,
    /// Whose things it is about; the front knows, and the request alone does not say.
    pub(crate) account_id: String,
    pub(crate) operation: String,
    pub(crate) resource: Option<String>,
    pub(crate) caller: Caller,
    pub(crate) protocol: Protocol,
}

impl Call {
    pub(crate) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let credential = credential(uri, headers);
        let scope: Vec<&str> = credential.as_deref().map(|c| c.rsplit('/').collect()).unwrap_or_default();
        // Written from the end: aws4_request, service, region, date, access key id.
        let service = scope.get(1).copied().unwrap_or("unknown").to_owned();
        let region = scope.get(2).copied().unwrap_or("unknown").to_owned();
        let caller = Caller::of(scope.get(4).copied());
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let (protocol, operation, resource) = if let Some((_, operation)) =
            uri.path().strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/"))
        {
            (Protocol::Cbor, operation.to_owned(), None)
        } else if let Some(target) = target {
            let operation = target.rsplit('.').next().unwrap_or(target);
            (Protocol::Json, operation.to_owned(), json_resource(body))
        } else if let Some(named) = rest::named(&service, method, uri) {
            named
        } else if let Some(action) = form_field(body, "Action") {
            (Protocol::Query, action, FORM_RESOURCES.iter().find_map(|field| form_field(body, field)))
        } else if service == "s3" {
            let key = uri.path().trim_start_matches('/').to_owned();
            (Protocol::RestXml, method.to_string(), Some(key))
        } else {
            let (operation, resource) = lambda_operation(method, uri);
            (Protocol::RestJson, operation, resource)
        };
        Self { service, region, account_id: String::new(), operation, resource, caller, protocol }
    }

    /// Function and alias of an `UpdateAlias`, the one call whose effect is traffic.
    pub(crate) fn updated_alias(&self) -> Option<(&str, &str)> {
        if self.service != "lambda" || self.operation != "UpdateAlias" {
            return None;
        }
        self.resource.as_deref().and_then(|resource| resource.split_once(':'))
    }
}

fn credential(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(header) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        let (_, rest) = header.split_once("Credential=")?;
        return Some(rest.split([',', ' ']).next().unwrap_or(rest).to_owned());
    }
    query_field(uri, "X-Amz-Credential")
}

pub(crate) fn query_field(uri: &Uri, name: &str) -> Option<String> {
    form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.into_owned())
}

fn form_field(body: &[u8], name: &str) -> Option<String> {
    if body.len() > BODY_BYTES_READ_MAX || !body.starts_with(b"Action=") && !contains(body, b"&Action=") {
        return None;
    }
    form_urlencoded::parse(body).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn json_resource(body: &[u8]) -> Option<String> {
    if body.len() > BODY_BYTES_READ_MAX {
        return None;
    }
    let document: Value = serde_json::from_slice(body).ok()?;
    JSON_RESOURCES.iter().find_map(|field| document.get(*field)?.as_str().map(str::to_owned))
}

/// Names a Lambda operation by its method and path: `/DATE/functions/NAME/rest…`.
fn lambda_operation(method: &Method, uri: &Uri) -> (String, Option<String>) {
    let segments: Vec<Cow<'_, str>> =
        uri.path().split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect();
    let unnamed = || (format!("{method} {}", uri.path()), None);
    let [_, collection, rest @ ..] = segments.as_slice() else { return unnamed() };
    if collection != "functions" {
        return unnamed();
    }
    let Some(function) = rest.first().map(|name| function_name(name)) else {
        let operation = if method == Method::POST { "CreateFunction" } else { "ListFunctions" };
        return (operation.to_owned(), None);
    };
    let qualified = || match query_field(uri, "Qualifier") {
        Some(qualifier) => format!("{function}:{qualifier}"),
        None => function.clone(),
    };
    let tail: Vec<&str> = rest.iter().skip(1).map(AsRef::as_ref).collect();
    let (operation, resource) = match (method.as_str(), tail.as_slice()) {
        ("GET", []) => ("GetFunction", qualified()),
        ("DELETE", []) => ("DeleteFunction", qualified()),
        ("GET", ["configuration"]) => ("GetFunctionConfiguration", qualified()),
        ("PUT", ["configuration"]) => ("UpdateFunctionConfiguration", function),
        ("PUT", ["code"]) => ("UpdateFunctionCode", function),
        ("GET", ["versions"]) => ("ListVersionsByFunction", function),
        ("POST", ["versions"]) => ("PublishVersion", function),
        ("GET", ["aliases"]) => ("ListAliases", function),
        ("POST", ["aliases"]) => ("CreateAlias", function),
        ("GET", ["aliases", alias]) => ("GetAlias", format!("{function}:{alias}")),
        ("PUT", ["aliases", alias]) => ("UpdateAlias", format!("{function}:{alias}")),
        ("DELETE", ["aliases", alias]) => ("DeleteAlias", format!("{function}:{alias}")),
        ("POST", ["invocations"]) => ("Invoke", qualified()),
        ("GET", ["provisioned-concurrency"]) => ("GetProvisionedConcurrencyConfig", qualified()),
        ("GET", ["concurrency"]) => ("GetFunctionConcurrency", function),
        ("GET", ["policy"]) => ("GetPolicy", qualified()),
        ("POST", ["policy"]) => ("AddPermission", qualified()),
        _ => return unnamed(),
    };
    (operation.to_owned(), Some(resource))
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]` and `NAME` both name `NAME`.
fn function_name(name_or_arn: &str) -> String {
    match name_or_arn.split_once(":function:") {
        Some((_, rest)) => rest.split(':').next().unwrap_or(rest).to_owned(),
        None => name_or_arn.to_owned(),
    }
}

/// A path segment; unlike a form, a path keeps its plus signs.
fn percent_decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let form = format!("x={}", segment.replace('+', "%2B"));
    let decoded = form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned());
    decoded.map_or(Cow::Borrowed(segment), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: (&str, &str), authorization: &str, body: &str, expect: (&str, &str, &str, &str)) {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        if let Some((_, target)) = request.1.split_once('#') {
            headers.insert("x-amz-target", target.parse().unwrap());
        }
        let path = request.1.split('#').next().unwrap();
        let call = Call::read(&request.0.parse().unwrap(), &path.parse().unwrap(), &headers, body.as_bytes());
        let resource = call.resource.unwrap_or_default();
        let seen = (call.service, call.operation, resource, call.caller.to_string());
        assert_eq!((&*seen.0, &*seen.1, &*seen.2, &*seen.3), expect);
    }

    fn signed(key: &str, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }

    #[test]
    fn lambda_operations_are_named_by_method_and_path() {
        let key = signed("FN.alarm-rollback", "lambda");
        let caller = "function alarm-rollback";
        let base = "/2015-03-31/functions/checkout";
        let aliases = format!("{base}/aliases/live");
        check(("PUT", &aliases), &key, "{}", ("lambda", "UpdateAlias", "checkout:live", caller));
        check(("GET", &aliases), &key, "", ("lambda", "GetAlias", "checkout:live", caller));
        let invoke = format!("{base}/invocations?Qualifier=3");
        check(("POST", &invoke), &key, "{}", ("lambda", "Invoke", "checkout:3", caller));
        let arn =
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Acheckout/aliases/live";
        check(("GET", arn), &key, "", ("lambda", "GetAlias", "checkout:live", caller));
    }

    #[test]
    fn other_protocols_name_their_operation_themselves() {
        check(
            ("POST", "/#DynamoDB_20120810.Query"),
            &signed("AKIA1", "dynamodb"),
            r#"{"TableName":"ledger"}"#,
            ("dynamodb", "Query", "ledger", "key AKIA1"),
        );
        check(
            ("POST", "/"),
            &signed(REHEARSAL_KEY, "sns"),
            "Version=2010-03-31&Action=Publish&TopicArn=arn%3Aaws%3Asns",
            ("sns", "Publish", "arn:aws:sns", "rehearsal"),
        );
        check(
            ("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData"),
            &signed(TRAFFIC_KEY, "monitoring"),
            "",
            ("monitoring", "PutMetricData", "", "traffic"),
        );
    }
}
