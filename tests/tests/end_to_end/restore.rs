//! A person restores a database with the built `ripcord`: beside the old one, once, and with nobody else's rights.

use std::process::{Command, Output};

use ripcord_rehearsal::targets::{database, database_status, role};
use ripcord_rehearsal::{LocalAws, Options};

use crate::scene::{ACCOUNT, REGION, built};

const OTHER_ACCOUNT: &str = "210987654321";

struct Terminal {
    local: LocalAws,
}

impl Terminal {
    async fn open() -> Self {
        let options =
            Options { region: REGION.to_owned(), account_id: ACCOUNT.to_owned(), ..Options::default() };
        Self { local: LocalAws::start(options).await.unwrap() }
    }

    /// Runs `ripcord restore` with these arguments, and returns what it said, if it ended with `code`.
    async fn says(&self, code: i32, arguments: &[&str]) -> String {
        let mut command = Command::new(built("ripcord"));
        command
            .args(["--endpoint-url", self.local.endpoint(), "--region", REGION, "restore"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "operator")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "ripcord restore {}: {text}", arguments.join(" "));
        text
    }

    /// What RDS was asked besides looking, in its order.
    fn writes(&self) -> Vec<String> {
        let calls = self.local.journal().matching(|entry| entry.service == "rds");
        let operations = calls.into_iter().map(|entry| entry.operation);
        operations.filter(|operation| !operation.starts_with("Describe")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_restored_beside_the_old_one_and_only_once() {
    let terminal = Terminal::open().await;
    let client = terminal.local.client();
    let orders = database(&client).await.unwrap();
    let made = ["CreateDBInstance".to_owned()];

    let refused = terminal.says(3, &[&orders, "--latest", "--as", "restored"]).await;
    assert!(refused.contains("nobody has confirmed that"), "{refused}");
    terminal.says(3, &[&orders, "--latest", "--as", "restored", "--confirm", "other"]).await;
    let at = |time: &'static str| ["--to-time", time, "--as", "restored", "--confirm"];
    let early = [&[orders.as_str()], &at("2020-01-01T00:00:00Z")[..], &[orders.as_str()]].concat();
    terminal.says(3, &early).await;
    let late = [&[orders.as_str()], &at("2999-01-01T00:00:00Z")[..], &[orders.as_str()]].concat();
    assert!(terminal.says(3, &late).await.contains("is still to come"));
    let gone = terminal.says(3, &["gone", "--latest", "--as", "restored", "--confirm", "gone"]).await;
    assert!(gone.contains("there is no instance gone here"), "{gone}");
    assert_eq!(terminal.writes(), made, "nothing was made");

    let restore = [&orders, "--latest", "--as", "restored", "--confirm", &orders];
    let begun = terminal.says(0, &restore).await;
    assert!(begun.contains("being restored from") && begun.contains("was not touched"), "{begun}");
    let waited = terminal.says(0, &[&restore[..], &["--wait"]].concat()).await;
    assert!(waited.contains("restored: there, as") && waited.contains("listens at"), "{waited}");
    terminal.says(0, &restore).await;
    let other = terminal.says(3, &["restored", "--latest", "--as", &orders, "--confirm", "restored"]).await;
    assert!(other.contains("already, and it was not restored from restored"), "{other}");

    let once = [made[0].clone(), "RestoreDBInstanceToPointInTime".to_owned()];
    assert_eq!(terminal.writes(), once);
    assert_eq!(database_status(&client, &orders).await.unwrap(), "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_account_is_restored_there_with_a_role() {
    let terminal = Terminal::open().await;
    let there = terminal.local.client_as(OTHER_ACCOUNT);
    let orders = database(&there).await.unwrap();
    let role = role(&there, ACCOUNT, "ticket-4711").await.unwrap();
    let restore = [&orders, "--latest", "--as", "restored", "--confirm", &orders];
    terminal.says(3, &restore).await;
    let with = |id| [&restore[..], &["--role-arn", &role, "--external-id", id]].concat();
    let denied = terminal.says(5, &with("another")).await;
    assert!(denied.contains("AccessDenied") && denied.contains(&role), "{denied}");
    terminal.says(0, &with("ticket-4711")).await;
    assert!(database_status(&there, "restored").await.is_ok());
    assert!(database_status(&terminal.local.client(), "restored").await.is_err(), "not at home");
}
