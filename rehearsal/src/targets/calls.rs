//! Calls by protocol, with answers that are what was asked for or an error.

use super::TargetError;
use crate::aws_client::{AwsAnswer, AwsClient, AwsRequest};
use hyper::body::Bytes;
use serde_json::Value;

/// An answer in XML.
pub(super) struct Xml(String);

impl Xml {
    /// The text of the first element of that name.
    pub(super) fn text(&self, element: &str) -> Result<String, TargetError> {
        let missing = || TargetError::Answer { what: element.to_owned(), answer: self.0.clone() };
        self.texts(element).into_iter().next().ok_or_else(missing)
    }

    /// The texts of all elements of that name, in order.
    pub(super) fn texts(&self, element: &str) -> Vec<String> {
        self.pick(|document| {
            let named = document.descendants().filter(|node| node.tag_name().name() == element);
            named.filter_map(|node| Some(node.text()?.to_owned())).collect()
        })
    }

    /// Reads the document; one that is none has nothing in it.
    pub(super) fn pick<T: Default>(&self, read: impl Fn(&roxmltree::Document<'_>) -> T) -> T {
        roxmltree::Document::parse(&self.0).map(|document| read(&document)).unwrap_or_default()
    }
}

/// A query service: a form in, XML out.
pub(super) async fn query(
    client: &AwsClient,
    (service, version): (&str, &str),
    action: &str,
    fields: &[(&str, &str)],
) -> Result<Xml, TargetError> {
    let mut all = vec![("Action", action), ("Version", version)];
    all.extend_from_slice(fields);
    Ok(Xml(accepted(action, &client.query(service, &all).await?)?))
}

pub(super) async fn json(
    client: &AwsClient,
    (service, prefix): (&str, &str),
    operation: &str,
    document: &Value,
) -> Result<Value, TargetError> {
    let answer = client.json(service, &format!("{prefix}.{operation}"), document).await?;
    Ok(serde_json::from_str(&accepted(operation, &answer)?).unwrap_or_default())
}

/// A REST service with JSON bodies.
pub(super) async fn rest(
    client: &AwsClient,
    service: &str,
    (method, path): (&str, &str),
    document: &Value,
) -> Result<Value, TargetError> {
    let body = if document.is_null() { Bytes::new() } else { document.to_string().into() };
    let headers = [("content-type", "application/json")];
    let answer = client.send(AwsRequest { service, method, path, headers: &headers, body }).await?;
    Ok(serde_json::from_str(&accepted(&format!("{method} {path}"), &answer)?).unwrap_or_default())
}

/// A REST service with XML bodies.
pub(super) async fn rest_xml(
    client: &AwsClient,
    service: &str,
    (method, path): (&str, &str),
    body: String,
) -> Result<Xml, TargetError> {
    let headers = [("content-type", "application/xml")];
    let answer =
        client.send(AwsRequest { service, method, path, headers: &headers, body: body.into() }).await?;
    Ok(Xml(accepted(&format!("{method} {path}"), &answer)?))
}

/// A text at a path of a document.
pub(super) fn text(document: &Value, pointer: &str) -> Result<String, TargetError> {
    let missing = || TargetError::Answer { what: pointer.to_owned(), answer: document.to_string() };
    document.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(missing)
}

/// A suffix that keeps one scene's names apart from another's.
pub(super) fn unique(name: &str) -> String {
    let suffix: String = std::iter::repeat_with(fastrand::lowercase).take(6).collect();
    format!("{name}-{suffix}")
}

fn accepted(operation: &str, answer: &AwsAnswer) -> Result<String, TargetError> {
    if answer.status.is_success() {
        return Ok(answer.text());
    }
    Err(TargetError::Refused {
        operation: operation.to_owned(),
        status: answer.status.as_u16(),
        answer: answer.text(),
    })
}
