//! A stack whose update can be held for as long as a test needs it to run.

use super::{
    TargetError,
    calls::{query, unique},
};
use crate::aws_client::{AwsClient, AwsRequest};
use serde_json::{Value, json};

const CLOUDFORMATION: (&str, &str) = ("cloudformation", "2010-05-15");

/// A stack in `CREATE_COMPLETE`, whose parameter `Setting` is `stable`.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub id: String,
}

/// Sets up a stack. Creating it takes a moment, so its status is to be waited for.
pub async fn stack(client: &AwsClient) -> Result<Stack, TargetError> {
    let name = unique("shop");
    let template = template(&name, "stable", false).to_string();
    let fields = [("StackName", &*name), ("TemplateBody", &*template)];
    let id = query(client, CLOUDFORMATION, "CreateStack", &fields).await?.text("StackId")?;
    Ok(Stack { name, id })
}

impl Stack {
    /// Begins an update to the candidate, which ends at once.
    pub async fn update(&self, client: &AwsClient) -> Result<(), TargetError> {
        self.update_to(client, &template(&self.name, "candidate", false)).await
    }

    /// Begins an update to the candidate, which goes on until `let_go`, or for a minute.
    pub async fn update_slowly(&self, client: &AwsClient) -> Result<(), TargetError> {
        self.update_to(client, &template(&self.name, "candidate", true)).await
    }

    /// Lets a slow update go on.
    pub async fn let_go(&self, client: &AwsClient) -> Result<(), TargetError> {
        let fields = [("StackName", &*self.name), ("LogicalResourceId", "Handle")];
        let handle = query(client, CLOUDFORMATION, "DescribeStackResource", &fields).await?;
        let url = handle.text("PhysicalResourceId")?;
        let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let body = json!({ "Status": "SUCCESS", "UniqueId": "1", "Data": "", "Reason": "" });
        let request = AwsRequest {
            service: "cloudformation",
            method: "PUT",
            path: &path,
            headers: &[],
            body: body.to_string().into(),
        };
        client.send(request).await?;
        Ok(())
    }

    /// The stack's status, such as `UPDATE_IN_PROGRESS`.
    pub async fn status(&self, client: &AwsClient) -> Result<String, TargetError> {
        let fields = [("StackName", &*self.name)];
        query(client, CLOUDFORMATION, "DescribeStacks", &fields).await?.text("StackStatus")
    }

    /// The template that the stack believes in.
    pub async fn template(&self, client: &AwsClient) -> Result<String, TargetError> {
        let fields = [("StackName", &*self.name)];
        query(client, CLOUDFORMATION, "GetTemplate", &fields).await?.text("TemplateBody")
    }

    async fn update_to(&self, client: &AwsClient, template: &Value) -> Result<(), TargetError> {
        let template = template.to_string();
        let fields = [("StackName", &*self.name), ("TemplateBody", &*template)];
        query(client, CLOUDFORMATION, "UpdateStack", &fields).await.map(drop)
    }
}

fn template(name: &str, value: &str, is_slow: bool) -> Value {
    let setting = |suffix: &str| {
        let name = format!("/{name}/{suffix}");
        json!({ "Type": "String", "Name": name, "Value": value })
    };
    let mut resources = json!({
        "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" },
        "First": { "Type": "AWS::SSM::Parameter", "Properties": setting("first") },
        "Last": { "Type": "AWS::SSM::Parameter", "DependsOn": ["First"], "Properties": setting("last") },
    });
    if is_slow {
        resources["Held"] = json!({
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": ["First"],
            "Properties": { "Handle": { "Ref": "Handle" }, "Timeout": "60", "Count": 1 },
        });
        resources["Last"]["DependsOn"] = json!(["First", "Held"]);
    }
    json!({ "Resources": resources })
}
