//! What Lambda refuses in an `UpdateAlias` and ministack lets pass. Without these rules a rehearsal would accept a shift
//! that AWS rejects. Anything that ministack checks itself, such as `RevisionId`, stays with ministack.

use super::{
    Front,
    backends::{Forwarded, document},
    call::Call,
    fault_answers::ServiceError,
    journal::AliasRouting,
};
use serde_json::Value;

impl Front {
    pub(super) async fn refused_by_lambda(
        &self,
        call: &Call,
        request: &Forwarded,
        alias: Option<&Value>,
    ) -> Option<ServiceError> {
        let (function, _) = call.updated_alias()?;
        let update: Value = serde_json::from_slice(&request.body).ok()?;
        let text = |document: &Value| document.get("FunctionVersion")?.as_str().map(str::to_owned);
        // A field that the update leaves out keeps its value.
        let primary = text(&update).or_else(|| alias.and_then(text))?;
        let weights = weights(update.get("RoutingConfig").or_else(|| alias?.get("RoutingConfig")));
        if let Err(refusal) = check(&primary, &weights) {
            return Some(refusal);
        }
        // A version that the alias already uses exists, and asking would only slow a rollback down.
        let used = alias.and_then(AliasRouting::of);
        let in_use = |version: &str| {
            used.as_ref().is_some_and(|used| used.version == version || used.weights.contains_key(version))
        };
        let versions = weights.iter().map(|(version, _)| version).chain([&primary]);
        for version in versions.filter(|version| !in_use(version)) {
            let path = format!("/2015-03-31/functions/{function}/configuration?Qualifier={version}");
            let (answer, _) = document(self.backends.ministack(&request.get(&path)?).await).await;
            if answer.status() == 404 {
                return Some(ServiceError::new(
                    404,
                    "ResourceNotFoundException",
                    format!("Function not found: {function}:{version}"),
                ));
            }
        }
        None
    }
}

fn weights(routing: Option<&Value>) -> Vec<(String, f64)> {
    let weights = routing.and_then(|routing| routing.get("AdditionalVersionWeights")?.as_object());
    weights
        .map(|map| {
            map.iter().map(|(version, weight)| (version.clone(), weight.as_f64().unwrap_or(-1.0))).collect()
        })
        .unwrap_or_default()
}

fn check(primary: &str, weights: &[(String, f64)]) -> Result<(), ServiceError> {
    let invalid = |message: String| Err(ServiceError::new(400, "InvalidParameterValueException", message));
    if weights.len() > 1 {
        return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1".to_owned());
    }
    for (version, weight) in weights {
        if !(0.0..=1.0).contains(weight) {
            return invalid(format!("Invalid weight {weight} for function version {version}"));
        }
        if version == primary {
            return invalid(format!("Invalid function version {version} in AdditionalVersionWeights"));
        }
        if primary == "$LATEST" || version == "$LATEST" {
            return invalid(
                "$LATEST is not supported for an alias pointing to more than 1 version".to_owned(),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(primary: &str, weights: &[(&str, f64)]) -> bool {
        let weights: Vec<_> =
            weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
        check(primary, &weights).is_err()
    }

    #[test]
    fn lambda_refuses_three_versions_latest_and_weights_outside_zero_to_one() {
        assert!(!refused("1", &[]));
        assert!(!refused("$LATEST", &[]));
        assert!(!refused("1", &[("2", 0.0)]));
        assert!(!refused("1", &[("2", 1.0)]));
        assert!(refused("1", &[("2", 1.000_001)]));
        assert!(refused("1", &[("2", -0.000_001)]));
        assert!(refused("1", &[("2", 0.1), ("3", 0.1)]));
        assert!(refused("1", &[("1", 0.1)]));
        assert!(refused("$LATEST", &[("1", 0.1)]));
        assert!(refused("1", &[("$LATEST", 0.1)]));
    }
}
