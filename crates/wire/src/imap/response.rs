//! Responses, printed.

use base::{MailboxId, ModSeq, Uid, UidValidity};

/// A response code (RFC 9051 §7.1, RFC 5530, and the extensions').
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// The text must be shown to the user.
    Alert,
    /// A mailbox of that name exists.
    AlreadyExists,
    /// UIDs of appended messages, in order (RFC 4315 §3).
    AppendUid(UidValidity, Vec<Uid>),
    /// Wrong password or no such user.
    AuthenticationFailed,
    /// May not act as that identity.
    AuthorizationFailed,
    /// The charset isn't known; says which are.
    BadCharset,
    /// Can't be done, ever.
    Cannot,
    /// Capabilities, as `Writer::capability` prints them.
    Capability(String),
    /// The client does something wrong.
    ClientBug,
    /// The mailbox that was selected no longer is (RFC 9051 §7.1).
    Closed,
    /// The administrator has to help.
    ContactAdmin,
    /// UIDs of copied messages and of their copies, in pairs, by source UID (RFC 4315 §3).
    CopyUid(UidValidity, Vec<(Uid, Uid)>),
    /// The password is too old.
    Expired,
    /// Messages were expunged meanwhile.
    ExpungeIssued,
    /// The mailbox has children.
    HasChildren,
    /// The mailbox's last change (RFC 7162 §3.1.2.1).
    HighestModSeq(ModSeq),
    /// Another session holds it.
    InUse,
    /// A limit was reached.
    Limit,
    /// The mailbox's id (RFC 8474 §4).
    MailboxId(MailboxId),
    /// Numbers or UIDs held back by UNCHANGEDSINCE, ascending (RFC 7162 §3.1.3).
    Modified(Vec<u32>),
    /// The mailbox has no MODSEQs.
    NoModSeq,
    /// Not permitted.
    NoPerm,
    /// No such mailbox.
    NonExistent,
    /// The saved result is empty now (RFC 5182).
    NotSaved,
    /// The quota is used up.
    OverQuota,
    /// The message could not be parsed.
    Parse,
    /// Flags that STORE can change; `true`: new keywords too.
    PermanentFlags(Vec<String>, bool),
    /// TLS is needed first.
    PrivacyRequired,
    /// The mailbox is open for reading only.
    ReadOnly,
    /// The mailbox is open for changes.
    ReadWrite,
    /// We do something wrong.
    ServerBug,
    /// The literal or message is too large (RFC 4469, RFC 7889).
    TooBig,
    /// The target doesn't exist; CREATE would help.
    TryCreate,
    /// The next UID.
    UidNext(Uid),
    /// What UIDs belong to.
    UidValidity(UidValidity),
    /// Can't be done now.
    Unavailable,
    /// The part's transfer encoding isn't known (RFC 3516).
    UnknownCte,
    /// The first message without `\Seen` (RFC 3501 §7.1).
    Unseen(u32),
    /// The special use isn't known or taken (RFC 6154 §3).
    UseAttr,
}
