//! Nothing of a local AWS outlives the process that started it, however that process ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests need only some of its calls")]
mod scene;

use ripcord_rehearsal::targets::load_balancer;
use scene::Scene;
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const GONE_DURATION_MAX: Duration = Duration::from_secs(10);
const HOLD: &str = "RIPCORD_TEST_HOLDS_A_LOCAL_AWS";

/// The processes of a group that still run, by `/proc`; a zombie has ended.
fn running_in(group: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        // "pid (name) state ppid pgrp …"; the name may hold anything, so the fields are read after it.
        let (name, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let is_ours = fields.get(2)?.parse() == Ok(group) && *fields.first()? != "Z";
        is_ours.then(|| name.to_owned())
    });
    processes.collect()
}

#[track_caller]
fn assert_gone(group: u32, home: &Path) {
    let deadline = Instant::now() + GONE_DURATION_MAX;
    while !running_in(group).is_empty() || home.exists() {
        assert!(Instant::now() < deadline, "left: {:?}, {}", running_in(group), home.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_drop_ends_ministack_and_its_functions_and_removes_their_folder() {
    let scene = Scene::deployed().await;
    scene.invoke("live", &json!({})).await;
    let (group, home) = (scene.aws.process_group_id(), scene.aws.home().to_path_buf());
    assert!(running_in(group).len() >= 2, "ministack and the function: {:?}", running_in(group));
    drop(scene);
    assert_gone(group, &home);
}

/// Where a process listens, as `/proc/net/tcp` writes addresses; those of IPv6 are longer.
fn listening(process: u32) -> Vec<String> {
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).unwrap());
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    let listening = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| {
        // "sl local remote state queues timer retransmissions uid timeout inode …"; 0A is LISTEN.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_ours = fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9]));
        is_ours.then(|| fields[1].to_owned())
    });
    listening.collect()
}

#[tokio::test]
async fn everything_listens_on_the_loopback_address_alone() {
    let scene = Scene::deployed().await;
    scene.invoke("live", &json!({})).await;
    load_balancer(&scene.aws.client()).await.unwrap();
    let moto = scene.aws.moto_process_group_id().unwrap();
    for process in [std::process::id(), scene.aws.process_group_id(), moto] {
        let listening = listening(process);
        assert!(!listening.is_empty(), "front, ministack, runtime API, moto: {process} listens");
        assert!(listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");
    }
}

#[tokio::test]
async fn a_publication_goes_with_the_local_aws() {
    let target = tempfile::tempdir().unwrap();
    let real = ripcord_rehearsal::Options::default();
    // The cached environment is shared; only the publication goes elsewhere.
    std::fs::create_dir_all(target.path()).unwrap();
    std::os::unix::fs::symlink(real.target.join("rehearsal"), target.path().join("rehearsal")).unwrap();
    let options = ripcord_rehearsal::Options { target: target.path().to_path_buf(), publish: true, ..real };
    let path = ripcord_rehearsal::published_path(target.path());
    let aws = ripcord_rehearsal::LocalAws::start(options).await.unwrap();
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(published.contains(aws.endpoint()), "{published}");
    drop(aws);
    assert!(!path.exists());
}

#[test]
fn a_killed_parent_leaves_nothing_behind() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_local_aws_until_it_is_killed", "--nocapture"])
        .env(HOLD, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let held = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("HOLDING ").map(|(_, rest)| rest.to_owned()));
    let held = held.unwrap();
    let [group, moto, home] = held.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let (group, moto) = (group.parse().unwrap(), moto.parse().unwrap());
    assert!(running_in(group).len() >= 2, "ministack and the function: {:?}", running_in(group));
    assert!(!running_in(moto).is_empty(), "moto");
    // On Unix this is SIGKILL: no destructor runs.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_gone(group, Path::new(home));
    assert_gone(moto, Path::new(home));
}

/// The other half of the test above, in a process of its own; by itself it does nothing.
#[tokio::test]
async fn holds_a_local_aws_until_it_is_killed() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let scene = Scene::deployed().await;
    scene.invoke("live", &json!({})).await;
    load_balancer(&scene.aws.client()).await.unwrap();
    let moto = scene.aws.moto_process_group_id().unwrap();
    println!("HOLDING {} {moto} {}", scene.aws.process_group_id(), scene.aws.home().display());
    tokio::time::sleep(Duration::from_secs(60)).await;
}
