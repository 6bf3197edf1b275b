//! The statuses of a stack, as CloudFormation names them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// A status of a stack.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum Status {
            $(#[doc = concat!("`", $text, "`.")] $name,)+
            /// One that nobody knew when this was written.
            Unknown(
                /// Its name.
                String,
            ),
        }

        impl Status {
            /// Every status that is known.
            #[cfg(test)]
            pub(super) const KNOWN: &'static [Self] = &[$(Self::$name),+];
        }

        impl From<String> for Status {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)+
                    _ => Self::Unknown(text),
                }
            }
        }

        impl fmt::Display for Status {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)+
                    Self::Unknown(text) => text,
                })
            }
        }
    };
}

statuses! {
    CreateComplete = "CREATE_COMPLETE",
    CreateFailed = "CREATE_FAILED",
    CreateInProgress = "CREATE_IN_PROGRESS",
    DeleteComplete = "DELETE_COMPLETE",
    DeleteFailed = "DELETE_FAILED",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    ImportComplete = "IMPORT_COMPLETE",
    ImportInProgress = "IMPORT_IN_PROGRESS",
    ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
    ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
    ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    RollbackComplete = "ROLLBACK_COMPLETE",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateFailed = "UPDATE_FAILED",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
}

impl From<Status> for String {
    fn from(status: Status) -> String {
        status.to_string()
    }
}

impl Status {
    /// Whether nothing is being done to the stack, and what was done last has succeeded or was taken back.
    pub fn is_complete(&self) -> bool {
        matches!(
            self,
            Self::CreateComplete
                | Self::ImportComplete
                | Self::ImportRollbackComplete
                | Self::UpdateComplete
                | Self::UpdateRollbackComplete
        )
    }

    /// Why nothing is done in this status, where nothing is.
    pub(super) fn why_it_blocks(&self) -> &'static str {
        match self {
            // To go on blindly would meet the same error again, and to skip what fails leaves resources unlike the template.
            Self::UpdateRollbackFailed => {
                "CloudFormation could not go back: mend what its events name, then aws cloudformation continue-update-rollback"
            }
            Self::CreateFailed
            | Self::CreateInProgress
            | Self::ReviewInProgress
            | Self::RollbackComplete
            | Self::RollbackFailed
            | Self::RollbackInProgress => "it has never been complete, so there is nothing to go back to",
            Self::DeleteComplete | Self::DeleteFailed | Self::DeleteInProgress => {
                "it is being deleted, or was"
            }
            Self::ImportInProgress | Self::ImportRollbackFailed | Self::ImportRollbackInProgress => {
                "resources are being imported into it, which no call of ours ends"
            }
            Self::Unknown(_) => "nobody knew that status when this was written",
            Self::CreateComplete
            | Self::ImportComplete
            | Self::ImportRollbackComplete
            | Self::UpdateComplete
            | Self::UpdateCompleteCleanupInProgress
            | Self::UpdateFailed
            | Self::UpdateInProgress
            | Self::UpdateRollbackComplete
            | Self::UpdateRollbackCompleteCleanupInProgress
            | Self::UpdateRollbackInProgress => "there is a way from it",
        }
    }
}
