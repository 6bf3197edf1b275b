//! Images of ECR: ministack answers an image that is not there with nothing, and ECR by name.

use crate::front::{
    Answer, Front,
    backends::{Forwarded, document},
    call::Call,
    fault_answers::ServiceError,
};
use serde_json::Value;

impl Front {
    pub(super) async fn image_call(&self, call: &Call, request: &Forwarded) -> Answer {
        let answer = self.backends.ministack(request).await;
        if call.operation != "DescribeImages" {
            return answer;
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let count = |document: &Value, field: &str| document.get(field)?.as_array().map(Vec::len);
        let (answer, found) = document(answer).await;
        let found = found.as_ref().and_then(|found| count(found, "imageDetails"));
        match (count(&asked, "imageIds"), found) {
            (Some(asked), Some(found)) if found < asked => {
                let message = "The image with the given imageId does not exist within the repository";
                ServiceError::new(400, "ImageNotFoundException", message).response(call)
            }
            _ => answer,
        }
    }
}
