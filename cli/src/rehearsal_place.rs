//! Where a kept rehearsal listens: it writes `rehearsal/local.json` into the target folder.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::failure::{Failure, Kind};

/// What the rehearsal wrote. It may write more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct RehearsalPlace {
    /// The endpoint of every service.
    pub(crate) endpoint: String,
    /// The region that it pretends to be.
    pub(crate) region: Option<String>,
    /// How long a minute of its plans lasts.
    #[serde(default = "real_minute_ms")]
    pub(crate) minute_ms: u32,
}

/// A rehearsal that does not say how fast its time passes has real minutes.
fn real_minute_ms() -> u32 {
    60_000
}

/// On the loopback interface a listener answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const FILE: &str = "rehearsal/local.json";

/// Finds the rehearsal that runs, from the current folder upward.
pub(crate) fn find() -> Result<RehearsalPlace, Failure> {
    let missing = |why: String| {
        Failure::new(Kind::RehearsalMissing, format!("no rehearsal is running: {why}"))
            .hint("start one that stays with: cargo rehearse --keep")
    };
    let here = std::env::current_dir().map_err(|error| {
        Failure::new(Kind::Unexpected, format!("failed to find the current folder: {error}"))
    })?;
    let path = find_file(&here, std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).as_deref())
        .ok_or_else(|| missing(format!("there is no target/{FILE} in {} or above", here.display())))?;
    let text = std::fs::read_to_string(&path)
        .map_err(|error| missing(format!("{} cannot be read: {error}", path.display())))?;
    let place: RehearsalPlace = serde_json::from_str(&text)
        .map_err(|error| missing(format!("{} is not what a rehearsal writes: {error}", path.display())))?;
    if answers(&place.endpoint) {
        Ok(place)
    } else {
        Err(missing(format!("{} names {}, where nobody answers", path.display(), place.endpoint)))
    }
}

fn find_file(from: &Path, target: Option<&Path>) -> Option<PathBuf> {
    let named = target.map(|target| target.join(FILE));
    let near = from.ancestors().map(|folder| folder.join("target").join(FILE));
    named.into_iter().chain(near).find(|path| path.is_file())
}

/// Whether somebody listens. A rehearsal that was killed leaves its file behind.
fn answers(endpoint: &str) -> bool {
    let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut addresses = address.to_socket_addrs().into_iter().flatten();
    addresses.any(|address| TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_is_found_from_any_folder_below() {
        let root = std::env::temp_dir().join(format!("ripcord-cli-{}", std::process::id()));
        let below = root.join("examples/checkout");
        std::fs::create_dir_all(root.join("target/rehearsal")).expect("a folder");
        std::fs::create_dir_all(&below).expect("a folder");
        assert_eq!(find_file(&below, None), None);
        std::fs::write(root.join("target").join(FILE), "{}").expect("a file");
        assert_eq!(find_file(&below, None), Some(root.join("target").join(FILE)));
        assert_eq!(
            find_file(Path::new("/"), Some(&root.join("target"))),
            Some(root.join("target").join(FILE))
        );
        std::fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn minutes_are_real_unless_the_rehearsal_says_otherwise() {
        let read =
            |text: &str| serde_json::from_str::<RehearsalPlace>(text).expect("what a rehearsal writes");
        assert_eq!(read(r#"{"endpoint": "http://127.0.0.1:1", "pid": 7}"#).minute_ms, 60_000);
        assert_eq!(read(r#"{"endpoint": "http://127.0.0.1:1", "minute_ms": 1000}"#).minute_ms, 1_000);
    }

    #[test]
    fn a_leftover_is_told_from_a_running_rehearsal() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}/", listener.local_addr().expect("an address"));
        assert!(answers(&endpoint));
        drop(listener);
        assert!(!answers(&endpoint));
        assert!(!answers("not an address"));
    }
}
