//! `cargo run -- URL FLAG '{"user_id": "u1"}'` asks one flag; without a flag it lists them.

use std::process::ExitCode;

use flag_client::{Fallback, FlagClient};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told = |url: &str| FlagClient::new(url).on_problem(|problem| eprintln!("{problem:?}"));
    match arguments.as_slice() {
        [url] => match told(url).list() {
            Ok(flags) => {
                for flag in flags {
                    println!("{} {}", flag.flag_key, if flag.enabled { "enabled" } else { "off" });
                }
                ExitCode::SUCCESS
            }
            Err(problem) => {
                eprintln!("{problem:?}");
                ExitCode::FAILURE
            }
        },
        [url, flag, context] => match serde_json::from_str(context) {
            Ok(context) => {
                let answer = told(url).evaluate(flag, &context, Fallback::OFF);
                println!("{answer:?}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("the context is no JSON: {error}");
                ExitCode::from(2)
            }
        },
        _ => {
            eprintln!("usage: flag-client URL [FLAG CONTEXT]");
            ExitCode::from(2)
        }
    }
}
