//! Names the operations of the services that say them with a method and a path alone. It knows the calls that put something
//! back or set something up to be put back; any other is named by its method and path.

use super::call::Protocol;
use hyper::{Method, Uri};

/// A method, a path whose braces each take one segment, and the operation. The first that fits is meant.
type Route = (&'static str, &'static str, &'static str);

const API_GATEWAY: &[Route] = &[
    ("POST", "/restapis", "CreateRestApi"),
    ("GET", "/restapis/{}", "GetRestApi"),
    ("DELETE", "/restapis/{}", "DeleteRestApi"),
    ("GET", "/restapis/{}/resources", "GetResources"),
    ("PUT", "/restapis/{}/resources/{}/methods/{}", "PutMethod"),
    ("PUT", "/restapis/{}/resources/{}/methods/{}/integration", "PutIntegration"),
    ("POST", "/restapis/{}/deployments", "CreateDeployment"),
    ("GET", "/restapis/{}/deployments", "GetDeployments"),
    ("GET", "/restapis/{}/deployments/{}", "GetDeployment"),
    ("POST", "/restapis/{}/stages", "CreateStage"),
    ("GET", "/restapis/{}/stages", "GetStages"),
    ("GET", "/restapis/{}/stages/{}", "GetStage"),
    ("PATCH", "/restapis/{}/stages/{}", "UpdateStage"),
];

const APPCONFIG: &[Route] = &[
    ("POST", "/applications", "CreateApplication"),
    ("GET", "/applications/{}", "GetApplication"),
    ("POST", "/applications/{}/environments", "CreateEnvironment"),
    ("GET", "/applications/{}/environments/{}", "GetEnvironment"),
    ("POST", "/applications/{}/configurationprofiles", "CreateConfigurationProfile"),
    ("GET", "/applications/{}/configurationprofiles/{}", "GetConfigurationProfile"),
    (
        "POST",
        "/applications/{}/configurationprofiles/{}/hostedconfigurationversions",
        "CreateHostedConfigurationVersion",
    ),
    (
        "GET",
        "/applications/{}/configurationprofiles/{}/hostedconfigurationversions",
        "ListHostedConfigurationVersions",
    ),
    (
        "GET",
        "/applications/{}/configurationprofiles/{}/hostedconfigurationversions/{}",
        "GetHostedConfigurationVersion",
    ),
    ("POST", "/applications/{}/configurationprofiles/{}/validators", "ValidateConfiguration"),
    ("POST", "/applications/{}/environments/{}/deployments", "StartDeployment"),
    ("GET", "/applications/{}/environments/{}/deployments", "ListDeployments"),
    ("GET", "/applications/{}/environments/{}/deployments/{}", "GetDeployment"),
    ("DELETE", "/applications/{}/environments/{}/deployments/{}", "StopDeployment"),
    ("POST", "/deploymentstrategies", "CreateDeploymentStrategy"),
    ("GET", "/deploymentstrategies/{}", "GetDeploymentStrategy"),
    // The data plane signs with the same name.
    ("POST", "/configurationsessions", "StartConfigurationSession"),
    ("GET", "/configuration", "GetLatestConfiguration"),
];

const ROUTE_53: &[Route] = &[
    ("POST", "/2013-04-01/hostedzone", "CreateHostedZone"),
    ("GET", "/2013-04-01/hostedzone", "ListHostedZones"),
    ("GET", "/2013-04-01/hostedzone/{}", "GetHostedZone"),
    ("GET", "/2013-04-01/hostedzone/{}/rrset", "ListResourceRecordSets"),
    // The SDKs write the path of a change with a slash at its end.
    ("POST", "/2013-04-01/hostedzone/{}/rrset", "ChangeResourceRecordSets"),
    ("GET", "/2013-04-01/change/{}", "GetChange"),
    ("POST", "/2013-04-01/healthcheck", "CreateHealthCheck"),
    ("GET", "/2013-04-01/healthcheck/{}", "GetHealthCheck"),
];

/// The protocol, the operation and what it is about, for a service of this kind.
pub(super) fn named(service: &str, method: &Method, uri: &Uri) -> Option<(Protocol, String, Option<String>)> {
    let (protocol, routes) = match service {
        "apigateway" => (Protocol::RestJson, API_GATEWAY),
        "appconfig" => (Protocol::RestJson, APPCONFIG),
        // Route 53 words its errors as the query services do.
        "route53" => (Protocol::Query, ROUTE_53),
        _ => return None,
    };
    let segments = segments(uri.path());
    for (verb, path, operation) in routes {
        if *verb == method.as_str()
            && let Some(taken) = fit(path, &segments)
        {
            let resource = (!taken.is_empty()).then(|| taken.join("/"));
            return Some((protocol, (*operation).to_owned(), resource));
        }
    }
    Some((protocol, format!("{method} {}", uri.path()), None))
}

/// What the braces of a path take.
fn fit<'path>(path: &str, segments: &[&'path str]) -> Option<Vec<&'path str>> {
    let pattern: Vec<&str> = self::segments(path);
    if pattern.len() != segments.len() {
        return None;
    }
    let mut taken = Vec::new();
    for (expected, segment) in pattern.iter().zip(segments) {
        if *expected == "{}" {
            taken.push(*segment);
        } else if expected != segment {
            return None;
        }
    }
    Some(taken)
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: (&str, &str, &str), expect: (&str, Option<&str>)) {
        let (service, method, path) = request;
        let (_, operation, resource) =
            named(service, &method.parse().unwrap(), &path.parse().unwrap()).unwrap();
        assert_eq!((operation.as_str(), resource.as_deref()), expect);
    }

    #[test]
    fn rest_operations_are_named_by_method_and_path() {
        check(
            ("route53", "POST", "/2013-04-01/hostedzone/Z1/rrset/"),
            ("ChangeResourceRecordSets", Some("Z1")),
        );
        check(("route53", "GET", "/2013-04-01/change/C1"), ("GetChange", Some("C1")));
        check(("apigateway", "PATCH", "/restapis/a/stages/prod"), ("UpdateStage", Some("a/prod")));
        check(
            ("appconfig", "DELETE", "/applications/a/environments/e/deployments/3"),
            ("StopDeployment", Some("a/e/3")),
        );
        check(("appconfig", "GET", "/tags/x"), ("GET /tags/x", None));
    }
}
