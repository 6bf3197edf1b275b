//! Records of Route 53: the weights that it refuses and ministack takes.

use crate::front::{Answer, Front, backends::Forwarded, call::Call, fault_answers::ServiceError};
use roxmltree::Document;

const WEIGHT_MAX: u32 = 255;

impl Front {
    pub(super) async fn record_call(&self, call: &Call, request: &Forwarded) -> Answer {
        if call.operation == "ChangeResourceRecordSets"
            && let Some(weight) = refused_weight(&request.body)
        {
            let message = format!(
                "Invalid XML ; Value '{weight}' is not facet-valid with respect to maxInclusive '255'"
            );
            return ServiceError::new(400, "InvalidInput", message).response(call);
        }
        self.backends.ministack(request).await
    }
}

fn refused_weight(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    let mut weights = document
        .descendants()
        .filter(|node| node.tag_name().name() == "Weight")
        .map(|node| node.text().unwrap_or_default());
    weights
        .find(|weight| weight.parse::<u32>().is_ok_and(|weight| weight > WEIGHT_MAX))
        .map(ToOwned::to_owned)
}
