//! Moto, the backend of load balancers, databases and their networks. It takes seconds to start, so it starts with the first
//! call that needs it, and a rehearsal without such a call never pays for it.

use crate::{
    backend::{Backend, BackendError, Plan},
    python_env::python_with_moto,
};
use std::{net::SocketAddr, path::PathBuf};
use tokio::sync::OnceCell;

const PROGRAMS: [(&str, &str); 2] = [
    ("launch_moto.py", include_str!("../python/launch_moto.py")),
    ("parent.py", include_str!("../python/parent.py")),
];

/// Started by the first call that needs it. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Moto {
    /// Where the Python environment is kept between rehearsals.
    cache: PathBuf,
    started: OnceCell<Backend>,
}

impl Moto {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache, started: OnceCell::new() }
    }

    /// Where it listens, once it does. A failed start is tried again by the next call.
    pub(crate) async fn address(&self) -> Result<SocketAddr, BackendError> {
        Ok(self.started.get_or_try_init(|| self.start()).await?.address())
    }

    /// Its process group, if it was needed so far.
    pub(crate) fn process_group_id(&self) -> Option<u32> {
        self.started.get().map(Backend::process_group_id)
    }

    async fn start(&self) -> Result<Backend, BackendError> {
        let python = python_with_moto(&self.cache).await?;
        Backend::start(&Plan {
            name: "moto",
            health_path: "/moto-api/",
            python: &python,
            programs: &PROGRAMS,
            variables: Vec::new(),
        })
        .await
    }
}
