//! What AWS refuses and a backend lets pass, and what AWS does and a backend leaves out, service by service; and which
//! backend each service has. Without these rules a rehearsal would accept what AWS rejects. Whatever a backend does right
//! stays with it: BACKENDS.md says what that is, and how it was seen.

mod configurations;
mod databases;
mod images;
mod load_balancer;
mod records;
mod rest_stage;
mod roles;

pub(super) use databases::Restores;

use super::{Answer, Front, backends::Forwarded, call::Call};

impl Front {
    pub(super) async fn by_rules(&self, call: &Call, request: &Forwarded) -> Answer {
        match call.service.as_str() {
            "elasticloadbalancing" => self.load_balancer_call(call, request).await,
            "rds" => self.database_call(call, request).await,
            // Load balancers and databases stand in networks, and moto looks for them in its own.
            "ec2" => self.backends.moto(call, request).await,
            "appconfig" => self.configuration_call(call, request).await,
            "ecs" => self.ecs.answer(call, request).await,
            "ecr" => self.image_call(call, request).await,
            "route53" => self.record_call(call, request).await,
            "apigateway" => self.rest_stage_call(call, request).await,
            "sts" => self.role_call(call, request).await,
            _ => self.backends.ministack(request).await,
        }
    }
}

/// A form's fields, in order.
fn form(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// The text of the first element of that name, wherever it stands.
fn element<'doc>(document: &'doc roxmltree::Document<'_>, name: &str) -> Option<&'doc str> {
    document.descendants().find(|node| node.tag_name().name() == name).and_then(|node| node.text())
}
