//! How each service words an error: status, headers and body, by protocol. A client must not be able to tell an
//! injected error from a real one.

use super::call::{Call, Protocol};
use http_body_util::Full;
use hyper::{Response, StatusCode, body::Bytes};
use serde_json::json;

/// An error as the AWS models name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ServiceError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn throttled(call: &Call) -> Self {
        let (status, code) = match (call.service.as_str(), call.protocol) {
            ("lambda", _) => (429, "TooManyRequestsException"),
            ("dynamodb", _) => (400, "ProvisionedThroughputExceededException"),
            (_, Protocol::RestJson) => (429, "TooManyRequestsException"),
            (_, Protocol::RestXml) => (503, "SlowDown"),
            (_, Protocol::Query) => (400, "Throttling"),
            (_, Protocol::Json | Protocol::Cbor) => (400, "ThrottlingException"),
        };
        Self::new(status, code, "Rate exceeded")
    }

    pub(crate) fn denied(call: &Call) -> Self {
        let (status, code) = match (call.service.as_str(), call.protocol) {
            ("sns", _) => (403, "AuthorizationError"),
            (_, Protocol::Query | Protocol::RestXml) => (403, "AccessDenied"),
            (_, Protocol::RestJson) => (403, "AccessDeniedException"),
            // JSON services answer every client error with 400.
            (_, Protocol::Json | Protocol::Cbor) => (400, "AccessDeniedException"),
        };
        let message = format!(
            "User: {} is not authorized to perform: {}:{} on resource: {}",
            call.caller,
            call.service,
            call.operation,
            call.resource.as_deref().unwrap_or("*"),
        );
        Self::new(status, code, message)
    }

    pub(crate) fn server(call: &Call, status: u16) -> Self {
        let code = match (call.service.as_str(), call.protocol, status) {
            ("lambda", _, _) => "ServiceException",
            (_, Protocol::Query | Protocol::RestXml, 503) => "ServiceUnavailable",
            (_, Protocol::Query | Protocol::RestXml, _) => "InternalError",
            ("dynamodb", _, _) => "InternalServerError",
            (_, Protocol::RestJson | Protocol::Json | Protocol::Cbor, _) => "InternalFailure",
        };
        Self::new(status, code, "Service failure")
    }

    pub(crate) fn response(&self, call: &Call) -> Response<Full<Bytes>> {
        let builder = Response::builder()
            .status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            .header("x-amzn-requestid", REQUEST_ID);
        let (code, message) = (&self.code, &self.message);
        let (builder, body) = match call.protocol {
            Protocol::RestJson => {
                let reason = if self.status == 429 { Some("CallerRateLimitExceeded") } else { None };
                let body = json!({"Type": "User", "message": message, "Reason": reason});
                let builder =
                    builder.header("content-type", "application/json").header("x-amzn-errortype", code);
                (builder, body.to_string().into_bytes())
            }
            Protocol::Json => {
                let kind = match call.service.as_str() {
                    "dynamodb" => format!("com.amazonaws.dynamodb.v20120810#{code}"),
                    _ => code.clone(),
                };
                let body = json!({"__type": kind, "message": message}).to_string();
                let version = match call.service.as_str() {
                    "codedeploy" | "ecs" | "ecr" => "1.1",
                    _ => "1.0",
                };
                let content_type = format!("application/x-amz-json-{version}");
                (builder.header("content-type", content_type), body.into_bytes())
            }
            Protocol::Query => {
                let side = if self.status >= 500 { "Receiver" } else { "Sender" };
                let body = format!(
                    "<ErrorResponse><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error>\
                     <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
                    escaped(code),
                    escaped(message),
                );
                (builder.header("content-type", "text/xml"), body.into_bytes())
            }
            Protocol::RestXml => {
                let body = format!(
                    "<Error><Code>{}</Code><Message>{}</Message><RequestId>{REQUEST_ID}</RequestId></Error>",
                    escaped(code),
                    escaped(message),
                );
                (builder.header("content-type", "application/xml"), body.into_bytes())
            }
            Protocol::Cbor => {
                let document = ciborium::Value::Map(vec![
                    ("__type".into(), code.as_str().into()),
                    ("message".into(), message.as_str().into()),
                ]);
                let mut body = Vec::new();
                // Writing to memory cannot fail; an empty body would still carry the status.
                let _ = ciborium::into_writer(&document, &mut body);
                let builder = builder
                    .header("content-type", "application/cbor")
                    .header("smithy-protocol", "rpc-v2-cbor")
                    .header("x-amzn-query-error", format!("{code};Sender"));
                (builder, body)
            }
        };
        builder.body(Full::from(body)).unwrap_or_default()
    }
}

/// Nothing here is looked up by request id, so one serves all.
pub(crate) const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Text as XML wants it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::call::Caller;
    use http_body_util::BodyExt as _;

    fn call(service: &str, operation: &str, protocol: Protocol) -> Call {
        Call {
            service: service.to_owned(),
            region: "us-east-1".to_owned(),
            account_id: String::new(),
            operation: operation.to_owned(),
            resource: None,
            caller: Caller::Unsigned,
            protocol,
        }
    }

    #[track_caller]
    fn check(error: &ServiceError, call: &Call, expect: (u16, &str)) {
        let response = error.response(call);
        let status = response.status().as_u16();
        let kind = response.headers().get("x-amzn-errortype").map(|value| value.to_str().unwrap().to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        let text = kind.unwrap_or_default() + &String::from_utf8_lossy(&body);
        assert!(status == expect.0 && text.contains(expect.1), "{status} {text}");
    }

    #[test]
    fn a_throttle_has_the_services_own_shape() {
        let lambda = call("lambda", "UpdateAlias", Protocol::RestJson);
        check(&ServiceError::throttled(&lambda), &lambda, (429, "TooManyRequestsException"));
        let dynamodb = call("dynamodb", "Query", Protocol::Json);
        let code = r#""__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException""#;
        check(&ServiceError::throttled(&dynamodb), &dynamodb, (400, code));
        let sns = call("sns", "Publish", Protocol::Query);
        check(&ServiceError::throttled(&sns), &sns, (400, "<Code>Throttling</Code>"));
        let monitoring = call("monitoring", "PutMetricData", Protocol::Cbor);
        check(&ServiceError::throttled(&monitoring), &monitoring, (400, "ThrottlingException"));
    }

    #[test]
    fn a_denial_names_the_action() {
        let lambda = call("lambda", "UpdateAlias", Protocol::RestJson);
        check(&ServiceError::denied(&lambda), &lambda, (403, "lambda:UpdateAlias"));
        let dynamodb = call("dynamodb", "Query", Protocol::Json);
        check(&ServiceError::denied(&dynamodb), &dynamodb, (400, "AccessDeniedException"));
        let sns = call("sns", "Publish", Protocol::Query);
        check(&ServiceError::denied(&sns), &sns, (403, "AuthorizationError"));
    }
}
