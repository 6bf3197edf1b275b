//! `ripcord report`: one release as a page that stands alone, and as the beginning of a review afterwards. It reads, draws and
//! writes files; what it cannot find it says, and draws the rest.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};
use crate::release_name::ReleaseName;
use crate::session::{Place, Session};

mod curves;
mod gather;
mod html;
mod markdown;
mod measured;
mod story;
#[cfg(test)]
mod tests;
mod words;

use story::Story;

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord report checkout                             the latest release, in a few lines
  ripcord report checkout#4 --html checkout-4.html    a page to mail, to archive, to print
  ripcord report checkout#4 --markdown review.md      the beginning of a review
  ripcord report checkout --json                      all of it as data";

/// Which release, and what to write.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service; with #NUMBER one of its releases, else the latest one
    #[arg(value_name = "SERVICE[#RELEASE]")]
    release: ReleaseName,
    /// Write a page of HTML to this file; it needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write Markdown for a review to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What was found, and where it was written.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    story: Story,
    /// The files that were written.
    written: Vec<PathBuf>,
}

pub(crate) async fn run(args: &Args, place: &Place) -> Result<Report, Failure> {
    let session = Session::open(place).await?;
    let material = gather::gather(&args.release, &session).await?;
    let story = Story::of(&material);
    let mut written = Vec::new();
    if let Some(path) = &args.html {
        write(path, &html::page(&story, &material))?;
        written.push(path.clone());
    }
    if let Some(path) = &args.markdown {
        write(path, &markdown::review(&story))?;
        written.push(path.clone());
    }
    Ok(Report { story, written })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Kind::Unexpected, format!("failed to write {}: {error}", path.display()))
            .hint("the folder must exist, and you must be allowed to write there")
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let story = &self.story;
        let style = match story.tone {
            ripcord::page::Tone::Good => GOOD,
            ripcord::page::Tone::Plain => NAME,
            ripcord::page::Tone::Warning => WARN,
            ripcord::page::Tone::Bad => BAD,
        };
        writeln!(f, "{}", styled(style, &story.answer))?;
        if let Some(because) = &story.because {
            writeln!(f, "  {because}")?;
        }
        writeln!(f)?;
        for fact in &story.facts {
            let note = if fact.note.is_empty() { String::new() } else { format!("  ({})", fact.note) };
            writeln!(f, "  {:22}  {}{}", fact.name, fact.value, styled(FAINT, note))?;
        }
        writeln!(f)?;
        for moment in &story.timeline {
            writeln!(
                f,
                "  {}  {:>9}  {}",
                styled(FAINT, words::clock(moment.at)),
                moment.after,
                moment.what
            )?;
        }
        for missing in &story.missing {
            writeln!(f, "  {}", styled(WARN, missing))?;
        }
        match self.written.as_slice() {
            [] => writeln!(
                f,
                "\n{}",
                styled(FAINT, "--html FILE writes a page with curves, --markdown FILE a review")
            ),
            files => files.iter().try_for_each(|file| writeln!(f, "\nwritten: {}", file.display())),
        }
    }
}
