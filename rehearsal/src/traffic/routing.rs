//! Where an alias sends requests, and under which dimensions Lambda would count them. It only looks at the alias.

use super::Counts;
use crate::{aws_client::AwsClient, front::journal::AliasRouting};
use serde_json::Value;
use std::time::Duration;

/// How soon a driver follows a changed alias; Lambda itself takes about as long.
const ROUTING_EVERY: Duration = Duration::from_millis(50);

/// An alias of a function.
#[derive(Debug, Clone)]
pub(super) struct Route {
    function: String,
    /// `function:alias`, as the metrics' `Resource` dimension has it.
    resource: String,
    path: String,
}

impl Route {
    pub(super) fn new(function: &str, alias: &str) -> Self {
        Self {
            function: function.to_owned(),
            resource: format!("{function}:{alias}"),
            path: format!("/2015-03-31/functions/{function}/aliases/{alias}"),
        }
    }

    /// Keeps the counts' routing up to date until the returned future is dropped.
    pub(super) async fn follow(self, client: AwsClient, counts: Counts) {
        // Unbounded on purpose: it ends with the driver.
        loop {
            if let Ok(answer) = client.lambda("GET", &self.path, &Value::Null).await
                && let Ok(alias) = serde_json::from_slice::<Value>(&answer.body)
                && let Some(routing) = AliasRouting::of(&alias)
            {
                counts.lock().routing = Some(routing);
            }
            tokio::time::sleep(ROUTING_EVERY).await;
        }
    }

    /// By function, by alias, and by version only while the alias is weighted: Lambda emits no `ExecutedVersion`
    /// otherwise.
    pub(super) fn dimension_sets<'a>(
        &'a self,
        version: &'a str,
        is_weighted: bool,
    ) -> Vec<Vec<(&'a str, &'a str)>> {
        let function = ("FunctionName", self.function.as_str());
        let resource = ("Resource", self.resource.as_str());
        let mut sets = vec![vec![function], vec![function, resource]];
        if is_weighted {
            sets.push(vec![function, resource, ("ExecutedVersion", version)]);
        }
        sets
    }
}

/// `point` is uniform from 0 to 1: the additional versions take their shares, the primary the rest.
pub(super) fn choose(routing: &AliasRouting, point: f64) -> &str {
    let mut upto = 0.0;
    for (version, weight) in &routing.weights {
        upto += weight;
        if point < upto {
            return version;
        }
    }
    &routing.version
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn versions_are_chosen_by_their_weights() {
        let routing =
            AliasRouting { version: "1".to_owned(), weights: BTreeMap::from([("2".to_owned(), 0.1)]) };
        assert_eq!(choose(&routing, 0.0), "2");
        assert_eq!(choose(&routing, 0.099), "2");
        assert_eq!(choose(&routing, 0.1), "1");
        assert_eq!(choose(&routing, 0.999), "1");
        let mut random = fastrand::Rng::with_seed(7);
        let second = (0..10_000).filter(|_| choose(&routing, random.f64()) == "2").count();
        assert!((900..=1_100).contains(&second), "{second} of 10,000");
    }
}
