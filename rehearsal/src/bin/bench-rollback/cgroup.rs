//! Holding a process to a fourteenth of a CPU, which is what Lambda gives a function with 128 MB.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// 128 MB of the 1,769 MB at which a function has one CPU.
const SHARE: f64 = 128.0 / 1769.0;

/// A control group whose members share a fourteenth of a CPU. It is removed on drop, when they are gone.
#[derive(Debug)]
pub(crate) struct CpuQuota {
    folder: PathBuf,
}

impl CpuQuota {
    /// Makes the group; `Err` says why this machine does not let us.
    pub(crate) fn new(period_us: u32) -> anyhow::Result<Self> {
        let name = format!("ripcord-bench-{}-{period_us}", std::process::id());
        let quota_us = (f64::from(period_us) * SHARE).round();
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        if v1.is_dir() {
            let group = Self::make(v1.join(name))?;
            group.set("cpu.cfs_period_us", &period_us.to_string())?;
            group.set("cpu.cfs_quota_us", &quota_us.to_string())?;
            return Ok(group);
        }
        // Version 2 shares one tree for all controllers; the root hands the CPU's on to its children.
        let root = Path::new("/sys/fs/cgroup");
        fs::write(root.join("cgroup.subtree_control"), "+cpu").context("the cpu controller cannot be had")?;
        let group = Self::make(root.join(name))?;
        group.set("cpu.max", &format!("{quota_us} {period_us}"))?;
        Ok(group)
    }

    /// Moves a process into the group.
    pub(crate) fn hold(&self, pid: u32) -> anyhow::Result<()> {
        self.set("cgroup.procs", &pid.to_string())
    }

    fn make(folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&folder).context("no control group can be made")?;
        Ok(Self { folder })
    }

    fn set(&self, file: &str, value: &str) -> anyhow::Result<()> {
        fs::write(self.folder.join(file), value).with_context(|| format!("{file} cannot be set to {value}"))
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        // A member that is still being reaped keeps the folder; it is empty then, and harmless.
        drop(fs::remove_dir(&self.folder));
    }
}
