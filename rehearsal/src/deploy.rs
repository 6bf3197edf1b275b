//! Deploys a SAM template into the local AWS without the SAM command line: packages the code, uploads it, creates or
//! updates the stack and waits for it. It changes nothing of a template but where code and definitions lie.

use crate::aws_client::{AwsAnswer, AwsClient, AwsRequest, CallError};
use roxmltree::Document;
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Cursor, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use zip::{ZipWriter, result::ZipError, write::SimpleFileOptions};

const BUCKET: &str = "ripcord-rehearsal";
/// A stack waits for its deployments, and at a sixtieth of the time a hook that never answers takes a minute.
const STACK_DURATION_MAX: Duration = Duration::from_secs(600);
const STACK_POLL_EVERY: Duration = Duration::from_millis(100);
/// Folders below a code folder; deeper ones are a circle of links.
const FOLDER_DEPTH_MAX: usize = 20;

/// What to deploy.
#[derive(Debug, Clone)]
pub struct StackRequest {
    /// The stack's name.
    pub name: String,
    /// The template file; `CodeUri` and `DefinitionUri` are relative to its folder.
    pub template: PathBuf,
    /// What the functions run.
    pub code: StackCode,
    /// Values of the template's parameters.
    pub parameters: Vec<(String, String)>,
}

/// Where a stack's code comes from.
#[derive(Debug, Clone)]
pub enum StackCode {
    /// One executable, packaged as `bootstrap` for every function.
    Bootstrap(PathBuf),
    /// Each `CodeUri` names a folder or a file.
    AsWritten,
}

/// Why a stack was not deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The template or the code could not be read.
    #[error("failed to read {path}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The code could not be packaged.
    #[error("failed to package the code")]
    Package(#[from] ZipError),
    /// The local AWS did not answer.
    #[error("failed to call the local AWS")]
    Call(#[from] CallError),
    /// The local AWS refused a call.
    #[error("failed to {operation}: {status} {answer}")]
    Refused {
        /// What was called.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it said.
        answer: String,
    },
    /// CloudFormation's answer was not understood.
    #[error("failed to read CloudFormation's answer: {0}")]
    Answer(String),
    /// The stack did not come up.
    #[error("failed to deploy the stack {stack}: it is {status}: {reasons}")]
    Stack {
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
        /// The failed resources and why.
        reasons: String,
    },
    /// The stack took too long.
    #[error("failed to see the stack {stack} complete within {limit_s} s: it is {status}")]
    Slow {
        /// The stack.
        stack: String,
        /// Its last status.
        status: String,
        /// The bound.
        limit_s: u64,
    },
}

/// A stack's outputs by name.
pub type StackOutputs = BTreeMap<String, String>;

pub(crate) async fn deploy(client: &AwsClient, request: &StackRequest) -> Result<StackOutputs, DeployError> {
    let upload = Uploader { client };
    upload.make_bucket().await?;
    // A template of more than 50 KB is taken from S3 alone, which is why `sam deploy` puts every template there.
    let template = upload.upload(upload.template(request).await?.into_bytes(), "template").await?;
    let template = template.replace("s3://", &format!("https://s3.{}.amazonaws.com/", client.region()));
    // Even a stack that had failed to come up is there; CloudFormation itself says that it must be deleted first.
    let operation = match describe(client, &request.name).await? {
        Some(_) => "UpdateStack",
        None => "CreateStack",
    };
    let mut fields: Vec<(String, String)> = vec![
        ("Action".to_owned(), operation.to_owned()),
        ("Version".to_owned(), "2010-05-15".to_owned()),
        ("StackName".to_owned(), request.name.clone()),
        ("TemplateURL".to_owned(), template),
    ];
    for (index, capability) in
        ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"].iter().enumerate()
    {
        fields.push((format!("Capabilities.member.{}", index + 1), (*capability).to_owned()));
    }
    for (index, (name, value)) in request.parameters.iter().enumerate() {
        let prefix = format!("Parameters.member.{}", index + 1);
        fields.push((format!("{prefix}.ParameterKey"), name.clone()));
        fields.push((format!("{prefix}.ParameterValue"), value.clone()));
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = client.query("cloudformation", &fields).await?;
    if !answer.status.is_success() && !answer.text().contains("No updates are to be performed") {
        return Err(refused("create or update the stack", &answer));
    }
    until_complete(client, &request.name).await
}

/// A stack's status and outputs.
struct Described {
    status: String,
    outputs: StackOutputs,
}

async fn until_complete(client: &AwsClient, stack: &str) -> Result<StackOutputs, DeployError> {
    let deadline = Instant::now() + STACK_DURATION_MAX;
    loop {
        let described = describe(client, stack).await?;
        let described = described.ok_or_else(|| DeployError::Answer(format!("the stack {stack} is gone")))?;
        match described.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(described.outputs),
            status if !status.ends_with("_IN_PROGRESS") => {
                let reasons = failures(client, stack).await?;
                let (stack, status) = (stack.to_owned(), described.status);
                return Err(DeployError::Stack { stack, status, reasons });
            }
            _ if Instant::now() >= deadline => {
                let (stack, status) = (stack.to_owned(), described.status);
                return Err(DeployError::Slow { stack, status, limit_s: STACK_DURATION_MAX.as_secs() });
            }
            _ => tokio::time::sleep(STACK_POLL_EVERY).await,
        }
    }
}

async fn describe(client: &AwsClient, stack: &str) -> Result<Option<Described>, DeployError> {
    let fields = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", stack)];
    let answer = client.query("cloudformation", &fields).await?;
    let text = answer.text();
    if !answer.status.is_success() {
        if text.contains("does not exist") {
            return Ok(None);
        }
        return Err(refused("describe the stack", &answer));
    }
    let document = Document::parse(&text).map_err(|error| DeployError::Answer(error.to_string()))?;
    let status = text_of(&document, "StackStatus").unwrap_or_default();
    if status == "DELETE_COMPLETE" {
        return Ok(None);
    }
    let (names, values) = (texts_of(&document, "OutputKey"), texts_of(&document, "OutputValue"));
    Ok(Some(Described { status, outputs: names.into_iter().zip(values).collect() }))
}

/// The resources that failed, and why, oldest first.
async fn failures(client: &AwsClient, stack: &str) -> Result<String, DeployError> {
    let fields = [("Action", "DescribeStackEvents"), ("Version", "2010-05-15"), ("StackName", stack)];
    let answer = client.query("cloudformation", &fields).await?;
    let text = answer.text();
    let document = Document::parse(&text).map_err(|error| DeployError::Answer(error.to_string()))?;
    let child = |event: roxmltree::Node<'_, '_>, name: &str| {
        let found =
            event.children().find(|child| child.has_tag_name(name) || child.tag_name().name() == name);
        found.and_then(|child| child.text()).unwrap_or_default().to_owned()
    };
    let events = document.descendants().filter(|node| node.tag_name().name() == "member");
    let mut failed: Vec<String> = events
        .filter(|event| child(*event, "ResourceStatus").ends_with("_FAILED"))
        .map(|event| {
            format!("{}: {}", child(event, "LogicalResourceId"), child(event, "ResourceStatusReason"))
        })
        .collect();
    failed.reverse();
    Ok(if failed.is_empty() { "no resource says why".to_owned() } else { failed.join("; ") })
}

fn texts_of(document: &Document<'_>, tag: &str) -> Vec<String> {
    let nodes = document.descendants().filter(|node| node.tag_name().name() == tag);
    nodes.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

fn text_of(document: &Document<'_>, tag: &str) -> Option<String> {
    texts_of(document, tag).into_iter().next()
}

fn refused(operation: &'static str, answer: &AwsAnswer) -> DeployError {
    DeployError::Refused { operation, status: answer.status.as_u16(), answer: answer.text() }
}

struct Uploader<'a> {
    client: &'a AwsClient,
}

impl Uploader<'_> {
    async fn make_bucket(&self) -> Result<(), DeployError> {
        let path = format!("/{BUCKET}");
        // S3 wants every region named but its first, which it refuses to have named.
        let region = self.client.region();
        let configuration = if region == "us-east-1" {
            String::new()
        } else {
            format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            )
        };
        let answer = self.put(&path, configuration.into_bytes()).await?;
        // Conflict: a deployment before this one made it.
        if answer.status.is_success() || answer.status == 409 {
            return Ok(());
        }
        Err(refused("make the bucket for code", &answer))
    }

    async fn put(&self, path: &str, body: Vec<u8>) -> Result<AwsAnswer, CallError> {
        let body = body.into();
        self.client.send(AwsRequest { service: "s3", method: "PUT", path, headers: &[], body }).await
    }

    /// The template with every `CodeUri` and `DefinitionUri` uploaded.
    async fn template(&self, request: &StackRequest) -> Result<String, DeployError> {
        let text = read(&request.template)?;
        let text = String::from_utf8_lossy(&text);
        let folder = request.template.parent().unwrap_or(Path::new("."));
        let mut lines = Vec::new();
        for line in text.lines() {
            let replaced = match local_uri(line) {
                Some((indent, key, uri)) => {
                    let path = folder.join(uri);
                    let (bytes, suffix) = match (key, &request.code) {
                        ("CodeUri", StackCode::Bootstrap(binary)) => (zipped_bootstrap(binary)?, "zip"),
                        ("CodeUri", StackCode::AsWritten) => (zipped(&path)?, "zip"),
                        _ => (read(&path)?, "json"),
                    };
                    Some(format!("{indent}{key}: {}", self.upload(bytes, suffix).await?))
                }
                None => None,
            };
            lines.push(replaced.unwrap_or_else(|| line.to_owned()));
        }
        Ok(lines.join("\n") + "\n")
    }

    /// The key is the content's hash: the same code is the same version, and other code another.
    async fn upload(&self, bytes: Vec<u8>, suffix: &str) -> Result<String, DeployError> {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let key = format!("{:016x}.{suffix}", hasher.finish());
        let answer = self.put(&format!("/{BUCKET}/{key}"), bytes).await?;
        if answer.status.is_success() {
            return Ok(format!("s3://{BUCKET}/{key}"));
        }
        Err(refused("upload the code", &answer))
    }
}

/// Indent, key and value of a line that names a local path.
fn local_uri(line: &str) -> Option<(&str, &str, &str)> {
    let trimmed = line.trim_start();
    let (key, value) = trimmed.split_once(':')?;
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
    let is_local =
        matches!(key, "CodeUri" | "DefinitionUri") && !value.is_empty() && !value.starts_with("s3://");
    is_local.then(|| (&line[..line.len() - trimmed.len()], key, value))
}

fn read(path: &Path) -> Result<Vec<u8>, DeployError> {
    std::fs::read(path).map_err(|source| DeployError::Read { path: path.to_path_buf(), source })
}

fn zipped_bootstrap(binary: &Path) -> Result<Vec<u8>, DeployError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    add(&mut archive, "bootstrap", binary)?;
    Ok(archive.finish()?.into_inner())
}

/// A folder's files, or one file under its own name.
fn zipped(path: &Path) -> Result<Vec<u8>, DeployError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    if path.is_dir() {
        add_folder(&mut archive, "", path, 0)?;
    } else {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        add(&mut archive, &name, path)?;
    }
    Ok(archive.finish()?.into_inner())
}

type Archive = ZipWriter<Cursor<Vec<u8>>>;

fn add_folder(archive: &mut Archive, prefix: &str, folder: &Path, depth: usize) -> Result<(), DeployError> {
    let unreadable = |source| DeployError::Read { path: folder.to_path_buf(), source };
    let entries: io::Result<Vec<_>> = std::fs::read_dir(folder).map_err(unreadable)?.collect();
    let mut entries = entries.map_err(unreadable)?;
    // In one order, so that the same files are the same package.
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if path.is_dir() && depth < FOLDER_DEPTH_MAX {
            add_folder(archive, &format!("{prefix}{name}/"), &path, depth + 1)?;
        } else if path.is_file() {
            add(archive, &format!("{prefix}{name}"), &path)?;
        }
    }
    Ok(())
}

/// With its permissions: Lambda runs nothing that is not executable.
fn add(archive: &mut Archive, name: &str, path: &Path) -> Result<(), DeployError> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |source| DeployError::Read { path: path.to_path_buf(), source };
    let permissions = std::fs::metadata(path).map_err(unreadable)?.permissions();
    // The quickest level: what is packaged here travels no further than this machine.
    let options =
        SimpleFileOptions::default().compression_level(Some(1)).unix_permissions(permissions.mode());
    archive.start_file(name, options)?;
    archive.write_all(&read(path)?).map_err(ZipError::Io)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_replaced() {
        assert_eq!(local_uri("      CodeUri: functions/"), Some(("      ", "CodeUri", "functions/")));
        assert_eq!(local_uri("CodeUri: \"a b\" # why"), Some(("", "CodeUri", "a b")));
        assert_eq!(local_uri("  DefinitionUri: x.asl.json"), Some(("  ", "DefinitionUri", "x.asl.json")));
        assert_eq!(local_uri("  CodeUri: s3://bucket/key"), None);
        assert_eq!(local_uri("  CodeUri:"), None);
        assert_eq!(local_uri("  Description: CodeUri: here"), None);
    }
}
