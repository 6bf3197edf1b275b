//! The three contenders: how each is built from its pinned sources into `target/bench`, started, and zipped.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use ripcord_rehearsal::runtime_api::FunctionSpec;
use zip::{ZipWriter, write::SimpleFileOptions};

/// What runs, under which name, and how large its deployment package is.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) spec: FunctionSpec,
    pub(crate) zip_mb: f64,
}

/// Where things lie.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The handlers that we are compared with.
    pub(crate) sources: PathBuf,
    /// Everything that is made for the benchmark.
    pub(crate) made: PathBuf,
}

impl Folders {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().context("the package lies in no workspace")?.to_path_buf();
        let made = root.join("target/bench");
        fs::create_dir_all(&made)?;
        Ok(Self { sources: package.join("bench"), made, root })
    }
}

/// Which of our own artefacts is measured.
#[derive(Clone, Debug)]
pub(crate) enum Artefact {
    /// The sources as they are, built as they are shipped; takes minutes.
    Build,
    /// What was built last.
    AsBuilt,
    /// This one.
    File(PathBuf),
}

/// The shipped artefact.
pub(crate) fn ripcord(folders: &Folders, artefact: &Artefact) -> anyhow::Result<Contender> {
    let program = match artefact {
        Artefact::File(file) => file.clone(),
        Artefact::Build | Artefact::AsBuilt => folders.root.join("target/release/bootstrap"),
    };
    if matches!(artefact, Artefact::Build) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--release", "--package", "bootstrap"])
            .current_dir(&folders.root))?;
    }
    let zip_mb = zip_mb(&[(program.clone(), "bootstrap".to_owned())]).context("the artefact is not built")?;
    Ok(Contender { name: "Ripcord".to_owned(), spec: FunctionSpec::new(program, "alarm-rollback"), zip_mb })
}

/// boto3 in a virtual environment.
pub(crate) fn boto3(folders: &Folders) -> anyhow::Result<Contender> {
    let pins = folders.sources.join("requirements.txt");
    let venv = folders.made.join("python");
    let python = venv.join("bin/python");
    once(&venv, &pins, || {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"];
        run(Command::new(&python).args(pip).arg(&pins))
    })?;
    let handler = folders.sources.join("boto3_handler.py");
    let print = "import boto3, pathlib, sys; v = sys.version_info; \
                 print(f'{v.major}.{v.minor}', boto3.__version__, pathlib.Path(boto3.__file__).parent.parent)";
    let said = said(Command::new(&python).args(["-c", print]))?;
    let mut parts = said.splitn(3, ' ');
    let (Some(version), Some(boto3), Some(packages)) = (parts.next(), parts.next(), parts.next()) else {
        bail!("python said {said:?}");
    };
    let mut files = vec![(handler.clone(), "boto3_handler.py".to_owned())];
    for entry in fs::read_dir(packages)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // What came with the environment itself is not part of a deployment package.
        if !["pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__"]
            .iter()
            .any(|own| name.starts_with(own))
        {
            collect(&Path::new(packages).join(&name), &name, &mut files)?;
        }
    }
    let mut spec = FunctionSpec::new(python, "boto3_handler.handler");
    spec = spec.arg(handler);
    Ok(Contender { name: format!("Python {version}, boto3 {boto3}"), spec, zip_mb: zip_mb(&files)? })
}

/// The AWS SDK for JavaScript, bundled into one file as one does for Lambda.
pub(crate) fn node(folders: &Folders) -> anyhow::Result<Contender> {
    let home = folders.made.join("node");
    let pins = folders.sources.join("package.json");
    once(&home, &pins, || {
        fs::copy(&pins, home.join("package.json"))?;
        let npm =
            ["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts=false"];
        run(Command::new("npm").args(npm).current_dir(&home))
    })?;
    let handler = fs::canonicalize(folders.sources.join("node_handler.mjs"))?;
    let bundle = home.join("node_handler.cjs");
    run(Command::new(home.join("node_modules/.bin/esbuild"))
        .arg(handler)
        .args([
            "--bundle",
            "--minify",
            "--platform=node",
            "--target=node20",
            "--format=cjs",
            "--log-level=error",
        ])
        .arg(format!("--outfile={}", bundle.display()))
        .env("NODE_PATH", home.join("node_modules")))?;
    let version = said(Command::new("node").arg("--version"))?;
    let program = said(Command::new("node").args(["-p", "process.execPath"]))?;
    let sdk = said(
        Command::new("node")
            .current_dir(&home)
            .args(["-p", "require('./package.json').dependencies['@aws-sdk/client-lambda']"]),
    )?;
    let zip_mb = zip_mb(&[(bundle.clone(), "node_handler.cjs".to_owned())])?;
    let spec = FunctionSpec::new(program, "node_handler.handler").arg(bundle);
    let name = format!("Node {}, SDK {sdk}", version.trim_start_matches('v'));
    Ok(Contender { name, spec, zip_mb })
}

/// Makes `folder` anew unless it was made completely from these pins.
fn once(folder: &Path, pins: &Path, make: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let marker = folder.join("made-from");
    let wanted = fs::read_to_string(pins).with_context(|| format!("failed to read {}", pins.display()))?;
    if fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    make()?;
    Ok(fs::write(marker, wanted)?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("failed to run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("failed to run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn collect(path: &Path, name: &str, files: &mut Vec<(PathBuf, String)>) -> anyhow::Result<()> {
    if path.is_file() {
        files.push((path.to_path_buf(), name.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let inner = entry?.file_name().to_string_lossy().into_owned();
        if inner != "__pycache__" {
            collect(&path.join(&inner), &format!("{name}/{inner}"), files)?;
        }
    }
    Ok(())
}

fn zip_mb(files: &[(PathBuf, String)]) -> anyhow::Result<f64> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, name) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default())?;
        zip.write_all(&fs::read(path).with_context(|| format!("failed to read {}", path.display()))?)?;
    }
    let bytes = u32::try_from(zip.finish()?.into_inner().len())?;
    Ok(f64::from(bytes) / 1e6)
}
