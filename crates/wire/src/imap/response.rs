//! What a response says of how a command ended: status and response code.

use crate::imap::print;
use base::{Flags, MailboxId, ModSeq, Uid, UidValidity};

/// How many octets of a bad URL are said again.
const MAX_BAD_URL: usize = 1000;

/// How a command ended, or what the server says unasked (RFC 9051 §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood.
    Bad,
    /// The connection ends.
    Bye,
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::Bye => "BYE",
        }
    }
}

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
    /// The URL, as the client wrote it, names nothing that can be had (RFC 4469 §4).
    BadUrl(String),
    /// Can't be done, ever.
    Cannot,
    /// Capabilities, separated by spaces, ours: no text of a client's.
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
    /// RFC 4978 §3
    CompressionActive,
    /// The mailbox has children.
    HasChildren,
    /// The mailbox's last change (RFC 7162 §3.1.2.1).
    HighestModSeq(ModSeq),
    /// How far the command of this tag has come, and how far it is to go (RFC 9585).
    InProgress(String, u32, u32),
    /// Another session holds it.
    InUse,
    /// A limit was reached.
    Limit,
    /// The mailbox's id (RFC 8474 §4).
    MailboxId(MailboxId),
    /// The longest value that MAXSIZE left out (RFC 5464 §4.2.1).
    MetadataLongEntries(u64),
    /// How many octets a value may have (RFC 5464 §4.3).
    MetadataMaxSize(u64),
    /// There are as many annotations as there may be.
    MetadataTooMany,
    /// Numbers or UIDs held back by UNCHANGEDSINCE, ascending (RFC 7162 §3.1.3).
    Modified(Vec<u32>),
    /// The mailbox has no MODSEQs.
    NoModSeq,
    /// Not permitted.
    NoPerm,
    /// The search of this tag is not followed (RFC 5267 §4.3.1).
    NoUpdate(String),
    /// No such mailbox.
    NonExistent,
    /// The saved result is empty now (RFC 5182).
    NotSaved,
    /// The quota is used up.
    OverQuota,
    /// The message could not be parsed.
    Parse,
    /// Flags that STORE can change; `true`: new keywords too.
    PermanentFlags(Flags, bool),
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
    /// The client may only use UIDs (RFC 9586 §3).
    UidRequired,
    /// What UIDs belong to.
    UidValidity(UidValidity),
    /// How URLs are authorized (RFC 4467 §8): INTERNAL.
    UrlMech,
    /// Can't be done now.
    Unavailable,
    /// The part's transfer encoding isn't known (RFC 3516).
    UnknownCte,
    /// The first message without `\Seen` (RFC 3501 §7.1).
    Unseen(u32),
    /// The special use isn't known or taken (RFC 6154 §3).
    UseAttr,
}

impl Code {
    /// Appends the code without its brackets.
    pub fn print(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name().as_bytes());
        match self {
            Code::AppendUid(validity, uids) => {
                after_space(out, u64::from(validity.0));
                out.push(b' ');
                print::uid_set(out, uids);
            }
            Code::CopyUid(validity, pairs) => {
                after_space(out, u64::from(validity.0));
                out.push(b' ');
                print::set(out, pairs.iter().map(|(from, _)| from.0));
                out.push(b' ');
                print::set(out, pairs.iter().map(|(_, to)| to.0));
            }
            Code::BadUrl(url) => {
                out.push(b' ');
                bad_url(out, url);
            }
            Code::Capability(names) => {
                out.push(b' ');
                print::text(out, names);
            }
            Code::MetadataLongEntries(octets) | Code::MetadataMaxSize(octets) => after_space(out, *octets),
            Code::HighestModSeq(modseq) => after_space(out, modseq.0),
            Code::MailboxId(id) => {
                out.extend_from_slice(b" (");
                print::object_id(out, b'F', id.0);
                out.push(b')');
            }
            Code::InProgress(tag, done, all) => {
                out.extend_from_slice(b" (");
                print::string(out, tag.as_bytes());
                after_space(out, u64::from(*done));
                after_space(out, u64::from(*all));
                out.push(b')');
            }
            Code::NoUpdate(tag) => {
                out.push(b' ');
                print::string(out, tag.as_bytes());
            }
            Code::Modified(numbers) => {
                out.push(b' ');
                print::set(out, numbers.iter().copied());
            }
            Code::PermanentFlags(flags, new_keywords) => {
                out.push(b' ');
                print::flags(out, flags, if *new_keywords { Some("\\*") } else { None });
            }
            Code::UidNext(Uid(number)) | Code::UidValidity(UidValidity(number)) | Code::Unseen(number) => {
                after_space(out, u64::from(*number));
            }
            _ => {}
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Code::Alert => "ALERT",
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::AppendUid(..) => "APPENDUID",
            Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
            // Charsets whose names are worth a client's try: all of encoding_rs is known.
            Code::BadCharset => "BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-15 WINDOWS-1252)",
            Code::BadUrl(_) => "BADURL",
            Code::Cannot => "CANNOT",
            Code::Capability(_) => "CAPABILITY",
            Code::ClientBug => "CLIENTBUG",
            Code::Closed => "CLOSED",
            Code::ContactAdmin => "CONTACTADMIN",
            Code::CopyUid(..) => "COPYUID",
            Code::Expired => "EXPIRED",
            Code::ExpungeIssued => "EXPUNGEISSUED",
            Code::CompressionActive => "COMPRESSIONACTIVE",
            Code::HasChildren => "HASCHILDREN",
            Code::HighestModSeq(_) => "HIGHESTMODSEQ",
            Code::InProgress(..) => "INPROGRESS",
            Code::InUse => "INUSE",
            Code::Limit => "LIMIT",
            Code::MailboxId(_) => "MAILBOXID",
            Code::MetadataLongEntries(_) => "METADATA LONGENTRIES",
            Code::MetadataMaxSize(_) => "METADATA MAXSIZE",
            Code::MetadataTooMany => "METADATA TOOMANY",
            Code::Modified(_) => "MODIFIED",
            Code::NoModSeq => "NOMODSEQ",
            Code::NoPerm => "NOPERM",
            Code::NoUpdate(_) => "NOUPDATE",
            Code::NonExistent => "NONEXISTENT",
            Code::NotSaved => "NOTSAVED",
            Code::OverQuota => "OVERQUOTA",
            Code::Parse => "PARSE",
            Code::PermanentFlags(..) => "PERMANENTFLAGS",
            Code::PrivacyRequired => "PRIVACYREQUIRED",
            Code::ReadOnly => "READ-ONLY",
            Code::ReadWrite => "READ-WRITE",
            Code::ServerBug => "SERVERBUG",
            Code::TooBig => "TOOBIG",
            Code::TryCreate => "TRYCREATE",
            Code::UidNext(_) => "UIDNEXT",
            Code::UidRequired => "UIDREQUIRED",
            Code::UidValidity(_) => "UIDVALIDITY",
            Code::UrlMech => "URLMECH INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::UnknownCte => "UNKNOWN-CTE",
            Code::Unseen(_) => "UNSEEN",
            Code::UseAttr => "USEATTR",
        }
    }
}

/// `url-resp-text` (RFC 4469 §5): at least one character, and none that would end the code or the line. What no URL
/// may hold is shown as `?`; one that is too long is cut.
fn bad_url(out: &mut Vec<u8>, url: &str) {
    let shown = |octet: u8| if octet.is_ascii_graphic() && !b"]\\".contains(&octet) { octet } else { b'?' };
    match url {
        "" => out.push(b'?'),
        url => out.extend(url.bytes().take(MAX_BAD_URL).map(shown)),
    }
}

fn after_space(out: &mut Vec<u8>, value: u64) {
    out.push(b' ');
    print::number(out, value);
}
