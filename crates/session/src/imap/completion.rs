//! How a command ends: the tagged response.

use base::mailbox::MailError;
use std::borrow::Cow;
pub(super) use wire::imap::response::Status;
use wire::imap::{Code, ParseError, print};

/// A command's end.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) status: Status,
    pub(super) code: Option<Code>,
    pub(super) text: Cow<'static, str>,
    /// What our side's log should know.
    pub(super) fault: Option<String>,
}

impl Completion {
    pub(super) fn ok(text: &'static str) -> Self {
        Completion { status: Status::Ok, code: None, text: text.into(), fault: None }
    }

    pub(super) fn no(text: &'static str) -> Self {
        Completion { status: Status::No, ..Completion::ok(text) }
    }

    pub(super) fn bad(text: &'static str) -> Self {
        Completion { status: Status::Bad, ..Completion::ok(text) }
    }

    pub(super) fn code(self, code: Code) -> Self {
        Completion { code: Some(code), ..self }
    }

    /// Appends the response, and gives what the log should know.
    pub(super) fn print(self, tag: Option<&str>, out: &mut Vec<u8>) -> Option<String> {
        print::status(out, tag, self.status, self.code.as_ref(), &self.text);
        self.fault
    }

    /// A target mailbox that isn't there, but could be made (RFC 9051 §6.3.12, §6.4.7).
    pub(super) fn try_create() -> Self {
        Completion::no("no such mailbox").code(Code::TryCreate)
    }
}

impl From<ParseError> for Completion {
    fn from(error: ParseError) -> Self {
        let status = if error.no { Status::No } else { Status::Bad };
        Completion { status, code: error.code, ..Completion::ok(error.reason) }
    }
}

impl From<MailError> for Completion {
    fn from(error: MailError) -> Self {
        match error {
            MailError::NoMailbox => Completion::no("no such mailbox").code(Code::NonExistent),
            MailError::Exists => Completion::no("a mailbox of that name exists").code(Code::AlreadyExists),
            MailError::NoMessage => Completion::no("no such message").code(Code::ExpungeIssued),
            MailError::Refused(why) => Completion::no(why).code(Code::Cannot),
            MailError::Name(_) => Completion::no("that can't be a mailbox's name").code(Code::Cannot),
            MailError::OverQuota => Completion::no("quota exceeded").code(Code::OverQuota),
            MailError::TooManyAnnotations => {
                Completion::no("too many annotations").code(Code::MetadataTooMany)
            }
            MailError::NoPerm => Completion::no("not permitted").code(Code::NoPerm),
            MailError::Limit(why) => Completion::no(why).code(Code::Limit),
            MailError::Rejected(why) => {
                Completion { text: why.chars().take(400).collect(), ..Completion::no("") }
            }
            MailError::Unavailable(why) => {
                let told =
                    Completion::no("can't do that now, please try again later").code(Code::Unavailable);
                Completion { fault: Some(why), ..told }
            }
        }
    }
}
