//! One error for what happens inside, turned at the edge into what each caller decides by.

use crate::{DirectoryError, StoreError};
use base::mailbox::MailError;

/// Why a unit of work failed.
#[derive(Debug)]
pub(super) enum Fault {
    Store(StoreError),
    Mail(MailError),
    Directory(DirectoryError),
    Sql(rusqlite::Error),
}

/// What a client is told: neither its quota nor a fault that a retry would cure at once.
const DISK_FULL: &str = "the server's disk is full, please try again later";

impl Fault {
    /// Something in the database that can't be.
    pub(super) fn broken(what: &str) -> Self {
        Fault::Store(StoreError::Failed(what.to_owned()))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Store(error)
    }
}

impl From<MailError> for Fault {
    fn from(error: MailError) -> Self {
        Fault::Mail(error)
    }
}

impl From<DirectoryError> for Fault {
    fn from(error: DirectoryError) -> Self {
        Fault::Directory(error)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
        match error.sqlite_error_code() {
            Some(DiskFull) => StoreError::DiskFull,
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy,
            _ => StoreError::Failed(error.to_string()),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Sql(error) => error.into(),
            Fault::Mail(MailError::NoMailbox | MailError::NoMessage) => StoreError::Gone,
            Fault::Mail(error) => StoreError::Failed(error.to_string()),
            Fault::Directory(error) => StoreError::Failed(error.to_string()),
        }
    }
}

impl From<Fault> for MailError {
    fn from(fault: Fault) -> Self {
        let error = match fault {
            Fault::Mail(error) => return error,
            other => StoreError::from(other),
        };
        match error {
            StoreError::OverQuota(_) => MailError::OverQuota,
            StoreError::Gone => MailError::NoMailbox,
            StoreError::Busy => MailError::Unavailable("the store is busy".into()),
            StoreError::DiskFull => MailError::Limit(DISK_FULL),
            StoreError::Closed => MailError::Unavailable("the store is closed".into()),
            StoreError::Failed(why) => MailError::Unavailable(why),
        }
    }
}

impl From<Fault> for DirectoryError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Directory(error) => error,
            other => DirectoryError::Failed(match StoreError::from(other) {
                StoreError::Failed(why) => why,
                error => format!("{error:?}"),
            }),
        }
    }
}
