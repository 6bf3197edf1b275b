//! Runs the local AWS by itself until Ctrl-C, for `sam deploy`, SDKs and the `ripcord` command in other terminals.
#![expect(clippy::print_stdout, reason = "it tells a person where to connect")]

use ripcord_rehearsal::{LocalAws, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let aws = LocalAws::start(Options { publish: true, ..Options::default() }).await?;
    println!("AWS_ENDPOINT_URL={}", aws.endpoint());
    println!("AWS_DEFAULT_REGION={}", aws.region());
    println!("AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
