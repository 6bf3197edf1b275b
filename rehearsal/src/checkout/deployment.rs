//! Releases of the example by CodeDeploy: its stack is deployed again, and CodeDeploy shifts the alias.

use super::{SERVICE, StageError};
use crate::LocalAws;
use crate::deploy::{StackCode, StackOutputs, StackRequest};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Who shifts the example's traffic, and so which of its templates is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftedBy {
    /// Ripcord.
    Ripcord,
    /// CodeDeploy, with Ripcord's hooks.
    CodeDeploy,
}

impl ShiftedBy {
    /// What deploys the example, for the first time or again.
    #[must_use]
    pub fn request(self, workspace: &Path, parameters: &[(&str, &str)]) -> StackRequest {
        let template = match self {
            Self::Ripcord => "examples/checkout/template.yaml",
            Self::CodeDeploy => "examples/checkout/codedeploy.yaml",
        };
        StackRequest {
            name: SERVICE.to_owned(),
            template: workspace.join(template),
            code: StackCode::AsWritten,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

/// Deploys the example again with other code, as a team does: SAM publishes a version when the code or the template has changed,
/// and not when only a parameter has.
pub async fn redeploy(
    local: &LocalAws,
    workspace: &Path,
    parameters: &[(&str, &str)],
) -> Result<StackOutputs, StageError> {
    static COPIES: AtomicU32 = AtomicU32::new(1);
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let copy = local.home().join(format!("example-{number}"));
    let folder = copy.join("examples/checkout");
    let copied = copy_with(&workspace.join("examples/checkout"), &folder, &format!("# release {number}"));
    copied.map_err(|error| StageError::Read(folder.display().to_string(), error))?;
    Ok(local.deploy(ShiftedBy::CodeDeploy.request(&copy, parameters)).await?)
}

fn copy_with(from: &Path, to: &Path, line: &str) -> io::Result<()> {
    fs::create_dir_all(to.join("src"))?;
    fs::copy(from.join("codedeploy.yaml"), to.join("codedeploy.yaml"))?;
    let code = fs::read_to_string(from.join("src/app.py"))?;
    fs::write(to.join("src/app.py"), format!("{code}{line}\n"))
}

/// Kills what a hook runs its checks in, as the kernel does with a process that takes too much memory. Returns how many there
/// were.
#[must_use]
pub fn kill_checks(local: &LocalAws) -> usize {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let checks = numbers
        .filter(|pid| is_check(*pid) && group_of(*pid) == i32::try_from(local.process_group_id()).ok());
    let killed = checks.filter(|pid| {
        let pid = rustix::process::Pid::from_raw(*pid);
        pid.is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok())
    });
    killed.count()
}

fn is_check(pid: i32) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).nth(1) == Some(b"check")
}

/// The process group is the third field after the command's name, which stands in parentheses and may hold spaces.
fn group_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}
