//! An alias of a state machine with two published versions.

use super::{
    TargetError,
    calls::{json, text, unique},
};
use crate::aws_client::AwsClient;
use serde_json::{Value, json};

const STATES: (&str, &str) = ("states", "AWSStepFunctions");

/// An alias that sends every execution to the stable version.
#[derive(Debug, Clone)]
pub struct StateMachineAlias {
    /// The state machine.
    pub machine_arn: String,
    /// Its alias.
    pub alias_arn: String,
    /// The first version.
    pub stable_arn: String,
    /// The second.
    pub candidate_arn: String,
}

/// Sets up a state machine, two versions and an alias.
pub async fn state_machine_alias(client: &AwsClient) -> Result<StateMachineAlias, TargetError> {
    let definition = |result: &str| {
        let state = json!({ "Type": "Pass", "Result": result, "End": true });
        json!({ "StartAt": "Answer", "States": { "Answer": state } }).to_string()
    };
    let machine = json!({
        "name": unique("orders"),
        "definition": definition("stable"),
        "roleArn": "arn:aws:iam::123456789012:role/orders",
        "publish": true,
    });
    let made = json(client, STATES, "CreateStateMachine", &machine).await?;
    let machine_arn = text(&made, "/stateMachineArn")?;
    let update =
        json!({ "stateMachineArn": machine_arn, "definition": definition("candidate"), "publish": true });
    let updated = json(client, STATES, "UpdateStateMachine", &update).await?;
    let stable_arn = text(&made, "/stateMachineVersionArn")?;
    let candidate_arn = text(&updated, "/stateMachineVersionArn")?;
    let alias = json!({ "name": "live", "routingConfiguration": [route(&stable_arn, 100)] });
    let alias = json(client, STATES, "CreateStateMachineAlias", &alias).await?;
    let alias_arn = text(&alias, "/stateMachineAliasArn")?;
    Ok(StateMachineAlias { machine_arn, alias_arn, stable_arn, candidate_arn })
}

impl StateMachineAlias {
    /// Shifts the alias to these shares.
    pub async fn shift(&self, client: &AwsClient, stable: u32, candidate: u32) -> Result<(), TargetError> {
        let routes = [route(&self.stable_arn, stable), route(&self.candidate_arn, candidate)];
        let update = json!({ "stateMachineAliasArn": self.alias_arn, "routingConfiguration": routes });
        json(client, STATES, "UpdateStateMachineAlias", &update).await.map(drop)
    }

    /// The shares: the stable version's, then the candidate's.
    pub async fn weights(&self, client: &AwsClient) -> Result<(u64, u64), TargetError> {
        let asked = json!({ "stateMachineAliasArn": self.alias_arn });
        let described = json(client, STATES, "DescribeStateMachineAlias", &asked).await?;
        let routes = described.get("routingConfiguration").and_then(Value::as_array);
        let share = |version: &String| {
            let mut routes = routes.into_iter().flatten();
            let route = routes.find(|route| route.get("stateMachineVersionArn") == Some(&json!(version)));
            route.and_then(|route| route.get("weight")?.as_u64()).unwrap_or_default()
        };
        Ok((share(&self.stable_arn), share(&self.candidate_arn)))
    }
}

fn route(version: &str, weight: u32) -> Value {
    json!({ "stateMachineVersionArn": version, "weight": weight })
}
