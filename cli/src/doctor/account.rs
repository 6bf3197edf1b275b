//! `ripcord doctor --account`: what is deployed of the registered services.

use ripcord::names::ServiceName;

use super::Diagnosis;
use crate::failure::Failure;
use crate::session::{Place, Session};

pub(super) async fn examine(service: Option<&ServiceName>, place: &Place) -> Result<Diagnosis, Failure> {
    let session = Session::open(place).await?;
    let services = match service {
        Some(service) => vec![service.clone()],
        None => session.aws.ledger.services().await?,
    };
    let looked_at = services.iter().map(ToString::to_string).collect();
    Ok(Diagnosis { looked_at, findings: Vec::new(), unreadable: Vec::new() })
}
