//! Commands as values: what a client asked for, checked once, here.

use crate::imap::response::Code;
use base::mailbox::FlagEdit;
use base::rights::RightsEdit;
use base::{
    EntryName, Flags, Keyword, MailId, MailboxName, Secret, SpecialUse, ThreadId, Timestamp, UidValidity,
};

mod acl;
mod append;
mod cursor;
mod fetch;
mod filter;
mod list;
mod metadata;
mod parse;
mod search;
mod sequence;
mod url;
mod urlauth;

pub use append::{AppendPiece, AppendReader, MAX_APPEND_PARTS};
pub use filter::MailboxFilter;
pub use list::ListPattern;
pub use metadata::{Depth, GetMetadata, SetMetadata};
use parse::Parser;
pub use parse::{parse, parse_announced, tag_of};
pub use sequence::{Ranges, SeqRange, SequenceSet};
pub use url::Url;
pub use urlauth::{Access, MAX_URLS, UrlAuth, UrlFetch, UrlItem, Verifier};

/// How deep search keys may nest: parentheses, NOT and OR counted together.
pub const MAX_SEARCH_DEPTH: usize = 200;

/// How many search keys one command may hold.
pub const MAX_SEARCH_KEYS: usize = 2000;

/// How many data items one FETCH may ask for.
pub const MAX_FETCH_ITEMS: usize = 1000;

/// How deep a section's part number may go.
pub const MAX_PART_DEPTH: usize = 100;

/// One command, whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// The client's name for it, said again in the tagged response.
    pub tag: String,
    /// What is asked for.
    pub body: CommandBody,
}

/// What is asked for. UID forms are the plain command with `uid` set: its numbers are UIDs, not sequence numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandBody {
    /// RFC 9051 §6.1.1
    Capability,
    /// RFC 9051 §6.1.2
    Noop,
    /// RFC 9051 §6.1.3
    Logout,
    /// RFC 2971: fields and values, `None` for NIL. Only for the log.
    Id(Vec<(String, Option<String>)>),
    /// RFC 9051 §6.2.1
    StartTls,
    /// RFC 9051 §6.2.2, RFC 4959
    Authenticate {
        /// The mechanism's name as the client wrote it.
        mechanism: String,
        /// The initial response as it stands: base64, or `=` for an empty one (`sasl::decode_initial`).
        initial: Option<Secret>,
    },
    /// RFC 9051 §6.2.3
    Login {
        /// Who.
        user: String,
        /// With what.
        password: Secret,
    },
    /// RFC 4978: the algorithm's name, in capitals.
    Compress(String),
    /// RFC 5255 §3.2: language ranges, the best liked first; none to ask which there are.
    Language(Vec<String>),
    /// RFC 8437
    Unauthenticate,
    /// RFC 9051 §6.3.1; extensions that we don't know are left out.
    Enable(Vec<Extension>),
    /// RFC 9051 §6.3.2, §6.3.3
    Select(Select),
    /// RFC 9051 §6.3.4
    Create {
        /// Its name; a separator at the end was taken off.
        mailbox: MailboxName,
        /// What it is for (RFC 6154 §3).
        special_use: Vec<SpecialUse>,
    },
    /// RFC 9051 §6.3.5
    Delete(MailboxName),
    /// RFC 9051 §6.3.6
    Rename {
        /// Which.
        from: MailboxName,
        /// Its new name.
        to: MailboxName,
    },
    /// RFC 9051 §6.3.7
    Subscribe(MailboxName),
    /// RFC 9051 §6.3.8
    Unsubscribe(MailboxName),
    /// RFC 9051 §6.3.9, RFC 5258, RFC 5819
    List(List),
    /// RFC 3501 §6.3.9
    Lsub(ListPattern),
    /// RFC 9051 §6.3.10
    Namespace,
    /// RFC 9051 §6.3.11
    Status {
        /// Which mailbox.
        mailbox: MailboxName,
        /// What of it; no item twice.
        items: Vec<StatusItem>,
    },
    /// RFC 9051 §6.3.12 and, with `replaced`, RFC 8508: up to its first literal.
    Append(Append),
    /// RFC 9051 §6.3.13. The client ends it with a line `DONE`.
    Idle,
    /// RFC 3501 §6.4.1
    Check,
    /// RFC 9051 §6.4.1
    Close,
    /// RFC 9051 §6.4.2
    Unselect,
    /// RFC 9051 §6.4.3; with UIDs: UID EXPUNGE (§6.4.9).
    Expunge(Option<SequenceSet>),
    /// RFC 9051 §6.4.4
    Search(Search),
    /// RFC 7377 §2: a search in the mailboxes that these filters choose; `uid` is set.
    MultiSearch(Vec<MailboxFilter>, Search),
    /// RFC 5267 §4.3.5: the tags of searches that are no longer to be followed.
    CancelUpdate(Vec<String>),
    /// RFC 5256 §3
    Sort(Sort),
    /// RFC 5256 §3
    Thread(Thread),
    /// RFC 9051 §6.4.5
    Fetch(Fetch),
    /// RFC 9051 §6.4.6
    Store(Store),
    /// RFC 9051 §6.4.7
    Copy(Transfer),
    /// RFC 9051 §6.4.8
    Move(Transfer),
    /// RFC 4467 §7: makes a mailbox's key anew, or removes those of all.
    ResetKey {
        /// Whose.
        mailbox: Option<MailboxName>,
    },
    /// RFC 4467 §7: authorizes URLs; the mechanism is INTERNAL.
    GenUrlAuth(Vec<UrlAuth>),
    /// RFC 4467 §7, RFC 5524
    UrlFetch(Vec<UrlFetch>),
    /// RFC 4314 §3.1
    SetAcl {
        /// Which mailbox.
        mailbox: MailboxName,
        /// Whose rights.
        identifier: String,
        /// How they change.
        edit: RightsEdit,
    },
    /// RFC 4314 §3.2
    DeleteAcl {
        /// Which mailbox.
        mailbox: MailboxName,
        /// Whose entry.
        identifier: String,
    },
    /// RFC 4314 §3.3
    GetAcl(MailboxName),
    /// RFC 4314 §3.4
    ListRights {
        /// Which mailbox.
        mailbox: MailboxName,
        /// Whose rights.
        identifier: String,
    },
    /// RFC 4314 §3.5
    MyRights(MailboxName),
    /// RFC 5464 §4.2
    GetMetadata(GetMetadata),
    /// RFC 5464 §4.3
    SetMetadata(SetMetadata),
    /// RFC 9208 §4.1.2
    GetQuota(String),
    /// RFC 9208 §4.1.3
    GetQuotaRoot(MailboxName),
    /// RFC 9208 §4.1.1
    SetQuota {
        /// The quota root.
        root: String,
        /// Resources and their limits, in the resource's units.
        limits: Vec<(String, u64)>,
    },
}

impl CommandBody {
    /// Whether message numbers stand anywhere in it: after ENABLE UIDONLY none may (RFC 9586 §3).
    pub fn has_numbers(&self) -> bool {
        match self {
            CommandBody::Fetch(fetch) => !fetch.uid,
            CommandBody::Store(store) => !store.uid,
            CommandBody::Copy(transfer) | CommandBody::Move(transfer) => !transfer.uid,
            CommandBody::Search(search) => !search.uid || search.key.has_numbers(),
            CommandBody::MultiSearch(_, search) => search.key.has_numbers(),
            CommandBody::Sort(sort) => !sort.uid || sort.key.has_numbers(),
            CommandBody::Thread(thread) => !thread.uid || thread.key.has_numbers(),
            CommandBody::Append(append) => append.replaced.as_ref().is_some_and(|replaced| !replaced.uid),
            CommandBody::Select(select) => {
                select.qresync.as_ref().is_some_and(|known| known.known_numbers.is_some())
            }
            _ => false,
        }
    }
}

/// What ENABLE can turn on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// RFC 9051
    Imap4Rev2,
    /// RFC 7162 §3.1
    Condstore,
    /// RFC 7162 §3.2
    Qresync,
    /// RFC 6855 §3
    Utf8Accept,
    /// RFC 9586
    UidOnly,
}

/// SELECT and EXAMINE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Select {
    /// Which mailbox.
    pub mailbox: MailboxName,
    /// EXAMINE: nothing may change.
    pub read_only: bool,
    /// RFC 7162 §3.1.8
    pub condstore: bool,
    /// RFC 7162 §3.2.5
    pub qresync: Option<Qresync>,
}

/// What a client knows of a mailbox from before (RFC 7162 §3.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qresync {
    /// The UIDVALIDITY it knows.
    pub uid_validity: UidValidity,
    /// The last MODSEQ it knows; not 0.
    pub modseq: u64,
    /// The UIDs it knows; no `*`, no `$`.
    pub known_uids: Option<SequenceSet>,
    /// Some message numbers and the UIDs they had (§3.2.5.2), both ascending and equally many.
    pub known_numbers: Option<(SequenceSet, SequenceSet)>,
}

/// LIST with its extensions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// Which names to look at.
    pub select: ListSelect,
    /// Patterns, each with the reference in front of it.
    pub patterns: Vec<ListPattern>,
    /// What to return beside names; `None` where the client left `RETURN` out.
    pub returns: Option<ListReturn>,
    /// Whether any syntax of RFC 5258 was used. `LIST "" ""` asks for the separator only where not.
    pub extended: bool,
}

/// LIST selection options (RFC 5258 §3, RFC 6154 §2).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ListSelect {
    /// Only subscribed names, existing or not.
    pub subscribed: bool,
    /// Remote mailboxes too.
    pub remote: bool,
    /// Parents too whose children match (CHILDINFO).
    pub recursive_match: bool,
    /// Only mailboxes with a special use.
    pub special_use: bool,
}

/// LIST return options (RFC 5258 §4, RFC 5819, RFC 6154 §2).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ListReturn {
    /// `\Subscribed`
    pub subscribed: bool,
    /// `\HasChildren` and `\HasNoChildren`
    pub children: bool,
    /// Special uses; Mailward shows them always.
    pub special_use: bool,
    /// A STATUS response for each mailbox.
    pub status: Vec<StatusItem>,
    /// A MYRIGHTS response for each mailbox (RFC 8440).
    pub my_rights: bool,
    /// A METADATA response for each mailbox, with these entries (RFC 9590).
    pub metadata: Vec<EntryName>,
}

/// What STATUS tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusItem {
    /// Messages.
    Messages,
    /// RFC 3501 §6.3.10; Mailward keeps no `\Recent`, so 0.
    Recent,
    /// The next UID.
    UidNext,
    /// What UIDs belong to.
    UidValidity,
    /// Messages without `\Seen`.
    Unseen,
    /// Messages with `\Deleted`.
    Deleted,
    /// Octets of those (RFC 9208 §4.1.4).
    DeletedStorage,
    /// Octets of all messages (RFC 8438).
    Size,
    /// RFC 7162 §3.1.7
    HighestModSeq,
    /// RFC 7889
    AppendLimit,
    /// RFC 8474 §4.3
    MailboxId,
}

impl StatusItem {
    /// Every item with its name.
    pub const ALL: [(StatusItem, &'static str); 11] = [
        (StatusItem::Messages, "MESSAGES"),
        (StatusItem::Recent, "RECENT"),
        (StatusItem::UidNext, "UIDNEXT"),
        (StatusItem::UidValidity, "UIDVALIDITY"),
        (StatusItem::Unseen, "UNSEEN"),
        (StatusItem::Deleted, "DELETED"),
        (StatusItem::DeletedStorage, "DELETED-STORAGE"),
        (StatusItem::Size, "SIZE"),
        (StatusItem::HighestModSeq, "HIGHESTMODSEQ"),
        (StatusItem::AppendLimit, "APPENDLIMIT"),
        (StatusItem::MailboxId, "MAILBOXID"),
    ];
}

/// APPEND, up to the first of its literals, which are streamed ([`Event::Append`](crate::imap::Event::Append)). One
/// that is made of URLs only (RFC 4469) is whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Append {
    /// REPLACE (RFC 8508): the message that the new one takes the place of.
    pub replaced: Option<Replaced>,
    /// Where the messages go.
    pub mailbox: MailboxName,
    /// Reads what follows.
    pub reader: AppendReader,
    /// What came so far.
    pub pieces: Vec<AppendPiece>,
}

/// The message that REPLACE removes (RFC 8508 §3.2, §3.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Whether it is named by its UID.
    pub uid: bool,
    /// Its number, or `*`.
    pub set: SequenceSet,
}

/// What is said of one message of APPEND (RFC 9051 §6.3.12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppendMessage {
    /// Flags to set.
    pub flags: Flags,
    /// Its internal date, if given.
    pub internal_date: Option<Timestamp>,
    /// Whether it is made of parts (RFC 4469), and not one literal.
    pub catenate: bool,
}

/// SEARCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// Whether the answer is in UIDs.
    pub uid: bool,
    /// What to return; `None` where the client left `RETURN` out.
    pub returns: Option<SearchReturn>,
    /// What to look for.
    pub key: SearchKey,
}

/// SEARCH and SORT return options (RFC 4731 §3.1, RFC 5182, RFC 5267 §4, RFC 9394). `RETURN ()` sets `all`. CONTEXT is
/// only a hint, and left out.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SearchReturn {
    /// The lowest number.
    pub min: bool,
    /// The highest number.
    pub max: bool,
    /// All numbers.
    pub all: bool,
    /// How many.
    pub count: bool,
    /// Keep the result for `$`.
    pub save: bool,
    /// Only a piece of the result; never with `all`.
    pub partial: Option<PartialRange>,
    /// Tell of changes of the result from now on.
    pub update: bool,
}

/// A piece of a result (RFC 9394 §3.1): the results from `first` to `last`, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartialRange {
    /// The first, at least 1.
    pub first: u32,
    /// The last, not below the first.
    pub last: u32,
    /// Counted from the end: the last result is 1.
    pub from_end: bool,
}

impl PartialRange {
    /// The places, counted from 0, that are meant of `count` results in order.
    pub fn places(self, count: usize) -> std::ops::Range<usize> {
        let (first, last) = (self.first as usize, self.last as usize);
        match self.from_end {
            false => (first - 1).min(count)..last.min(count),
            true => count.saturating_sub(last)..count.saturating_sub(first - 1),
        }
    }
}

/// What to look for (RFC 9051 §6.4.4). Texts are decoded from the command's charset. Days are the time of their
/// beginning, UTC, and compared by calendar date alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these.
    And(Vec<SearchKey>),
    /// One of these.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not this.
    Not(Box<SearchKey>),
    /// By message numbers.
    Sequence(SequenceSet),
    /// By UIDs.
    Uid(SequenceSet),
    /// A system flag is set.
    Flag(base::Flag),
    /// A keyword is set.
    Keyword(Keyword),
    /// `\Recent` is set (RFC 3501); no message has it.
    Recent,
    /// Received before this day.
    Before(Timestamp),
    /// Received on this day.
    On(Timestamp),
    /// Received on this day or later.
    Since(Timestamp),
    /// The Date field is before this day.
    SentBefore(Timestamp),
    /// The Date field is on this day.
    SentOn(Timestamp),
    /// The Date field is on this day or later.
    SentSince(Timestamp),
    /// Came into the mailbox before this day (RFC 8514).
    SavedBefore(Timestamp),
    /// Came into the mailbox on this day.
    SavedOn(Timestamp),
    /// Came into the mailbox on this day or later.
    SavedSince(Timestamp),
    /// Save dates are kept in this mailbox.
    SaveDateSupported,
    /// Received within so many seconds (RFC 5032).
    Younger(u32),
    /// Received not within so many seconds.
    Older(u32),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// In the address field Bcc.
    Bcc(String),
    /// In the address field Cc.
    Cc(String),
    /// In the address field From.
    From(String),
    /// In the address field To.
    To(String),
    /// In the Subject.
    Subject(String),
    /// In a header field of this name; an empty text: the field is there.
    Header(String, String),
    /// In the body's text.
    Body(String),
    /// In the header or the body's text.
    Text(String),
    /// Changed at this MODSEQ or later (RFC 7162 §3.1.5).
    ModSeq(u64),
    /// RFC 8474 §6; `None` for an id that is none of ours, which no message has.
    EmailId(Option<MailId>),
    /// RFC 8474 §6; `None` for an id that is none of ours.
    ThreadId(Option<ThreadId>),
}

impl SearchKey {
    /// Whether message numbers stand in it; the saved result (`$`) is none.
    fn has_numbers(&self) -> bool {
        match self {
            SearchKey::Sequence(set) => *set != SequenceSet::Saved,
            SearchKey::And(keys) => keys.iter().any(SearchKey::has_numbers),
            SearchKey::Or(one, other) => one.has_numbers() || other.has_numbers(),
            SearchKey::Not(key) => key.has_numbers(),
            _ => false,
        }
    }
}

/// SORT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// Whether the answer is in UIDs.
    pub uid: bool,
    /// What to return; `None` where the client left `RETURN` out (RFC 5267 §3).
    pub returns: Option<SearchReturn>,
    /// By what, most important first.
    pub keys: Vec<SortKey>,
    /// Which messages.
    pub key: SearchKey,
}

/// One criterion of SORT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortKey {
    /// By what.
    pub by: SortBy,
    /// Largest first.
    pub reverse: bool,
}

/// What SORT orders by (RFC 5256 §3, RFC 5957).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortBy {
    /// Internal date and time.
    Arrival,
    /// First Cc mailbox.
    Cc,
    /// Date field.
    Date,
    /// First From mailbox.
    From,
    /// Octets.
    Size,
    /// Base subject.
    Subject,
    /// First To mailbox.
    To,
    /// What a client shows of From.
    DisplayFrom,
    /// What a client shows of To.
    DisplayTo,
}

/// THREAD.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Thread {
    /// Whether the answer is in UIDs.
    pub uid: bool,
    /// How.
    pub algorithm: ThreadAlgorithm,
    /// Which messages.
    pub key: SearchKey,
}

/// How THREAD groups messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadAlgorithm {
    /// By base subject, then by date.
    OrderedSubject,
    /// By References and In-Reply-To.
    References,
}

/// FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Whether `set` is in UIDs; the answer then has UID among its items.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// What of them; macros are expanded, no item stands twice.
    pub items: Vec<FetchItem>,
    /// Only messages changed after this MODSEQ (RFC 7162 §3.1.4.1); the answer then has MODSEQ among its items.
    pub changed_since: Option<u64>,
    /// UIDs that are gone too (RFC 7162 §3.2.6); only with `uid` and `changed_since`.
    pub vanished: bool,
    /// Only a piece of the messages of `set` (RFC 9394 §3.3); only with `uid`.
    pub partial: Option<PartialRange>,
}

/// What FETCH tells of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchItem {
    /// `ENVELOPE`
    Envelope,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `UID`
    Uid,
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `BODY` without a section: the structure without extension data.
    Body,
    /// `BODY[…]` and `BODY.PEEK[…]`
    BodySection {
        /// Which octets.
        section: Section,
        /// Leaves `\Seen` as it is.
        peek: bool,
        /// Only a piece of them.
        partial: Option<Partial>,
    },
    /// `RFC822` (RFC 3501), as `BODY[]`
    Rfc822,
    /// `RFC822.HEADER`, as `BODY.PEEK[HEADER]`
    Rfc822Header,
    /// `RFC822.TEXT`, as `BODY[TEXT]`
    Rfc822Text,
    /// `BINARY[…]` and `BINARY.PEEK[…]`: decoded from its transfer encoding
    Binary {
        /// Which part; empty for the message.
        part: Vec<u32>,
        /// Leaves `\Seen` as it is.
        peek: bool,
        /// Only a piece of it.
        partial: Option<Partial>,
    },
    /// `BINARY.SIZE[…]`
    BinarySize {
        /// Which part; empty for the message.
        part: Vec<u32>,
    },
    /// `MODSEQ` (RFC 7162)
    ModSeq,
    /// `EMAILID` (RFC 8474)
    EmailId,
    /// `THREADID` (RFC 8474)
    ThreadId,
    /// `SAVEDATE` (RFC 8514)
    SaveDate,
    /// `PREVIEW` (RFC 8970). LAZY makes no difference: a preview is quickly made.
    Preview,
}

impl FetchItem {
    /// Whether fetching it sets `\Seen` (RFC 9051 §6.4.5, RFC 3516 §4.2).
    pub fn marks_seen(&self) -> bool {
        match self {
            FetchItem::BodySection { peek, .. } | FetchItem::Binary { peek, .. } => !peek,
            FetchItem::Rfc822 | FetchItem::Rfc822Text => true,
            _ => false,
        }
    }
}

/// Which octets of a message (RFC 9051 §6.4.5.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The part's numbers, each at least 1; empty for the message itself.
    pub part: Vec<u32>,
    /// What of the part.
    pub text: SectionText,
}

/// What of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    /// All of it: of the message with its header, of a part its body.
    All,
    /// The header of the message or of the message that the part holds.
    Header,
    /// Some fields of that header, or all but these. At least one name, as the client wrote it.
    HeaderFields {
        /// Field names: printable ASCII without a colon.
        names: Vec<String>,
        /// All but these.
        not: bool,
    },
    /// That message without its header.
    Text,
    /// The part's own MIME header; never of the message itself.
    Mime,
}

/// A piece of some octets: `<start.length>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partial {
    /// The first octet, counted from 0.
    pub start: u64,
    /// How many at most; not 0.
    pub length: u64,
}

/// STORE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// Whether `set` is in UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// What to change.
    pub edit: FlagEdit,
    /// Not to answer with the flags.
    pub silent: bool,
    /// Only messages not changed after this MODSEQ (RFC 7162 §3.1.3); may be 0.
    pub unchanged_since: Option<u64>,
}

/// COPY and MOVE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// Whether `set` is in UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Whereto.
    pub mailbox: MailboxName,
}

/// Why a command was not taken: the one tagged answer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The command's tag, where one could be read; without it the answer is untagged (RFC 9051 §7.1.3).
    pub tag: Option<String>,
    /// Whether to say NO (well-formed, but not possible) rather than BAD.
    pub no: bool,
    /// The response code to send.
    pub code: Option<Code>,
    /// The reason, for people.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests;
