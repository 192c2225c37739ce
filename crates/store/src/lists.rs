//! Groups and mailing lists: addresses that lead to members, here and elsewhere.

use crate::DirectoryError;
use base::{Address, DomainId, ListId, MemberId, Timestamp};

/// Members that a list may have.
pub const MOST_MEMBERS: usize = 1000;

/// Failures in a row after which a member gets no more mail.
pub const MOST_BOUNCES: u32 = 5;

/// Seconds after which a failure is forgotten.
pub const BOUNCE_MEMORY: i64 = 30 * 86_400;

/// Groups and lists. A list's name is an address of a domain of ours, and of nothing else.
pub trait Lists: Send + Sync {
    /// Every list, by address.
    fn all(&self) -> Result<Vec<List>, DirectoryError>;

    /// A list.
    fn list(&self, id: ListId) -> Result<Option<List>, DirectoryError>;

    /// Adds a list without members. Its domain must be here; the address must be nobody's.
    fn add(&self, address: &Address, style: &Style) -> Result<ListId, DirectoryError>;

    /// Gives a list another style.
    fn set_style(&self, id: ListId, style: &Style) -> Result<(), DirectoryError>;

    /// Removes a list with its members.
    fn remove(&self, id: ListId) -> Result<(), DirectoryError>;

    /// A list's members, by address; at most [`MOST_MEMBERS`].
    fn members(&self, of: ListId) -> Result<Vec<Member>, DirectoryError>;

    /// A list's member of an address, in whatever case.
    fn member_at(&self, of: ListId, address: &Address) -> Result<Option<Member>, DirectoryError>;

    /// A list's members that moderate it.
    fn moderators(&self, of: ListId) -> Result<Vec<Member>, DirectoryError>;

    /// Whether a list has a member that gets its mail.
    fn has_readers(&self, of: ListId) -> Result<bool, DirectoryError>;

    /// A member, of whatever list.
    fn member(&self, id: MemberId) -> Result<Option<Member>, DirectoryError>;

    /// Adds a member, or says anew whether it moderates; one that was suspended gets mail again.
    fn add_member(&self, of: ListId, address: &Address, moderates: bool) -> Result<MemberId, DirectoryError>;

    /// Removes a member.
    fn remove_member(&self, id: MemberId) -> Result<(), DirectoryError>;

    /// Counts a failure of mail to a member, and suspends it at [`MOST_BOUNCES`]; gives how it stands then, if it
    /// is still there.
    fn bounced(&self, id: MemberId, why: &str, at: Timestamp) -> Result<Option<Member>, DirectoryError>;

    /// Notes that a member is asked whether it wants to leave, unless it was since `not_since`; tells whether it was
    /// noted.
    fn ask_to_leave(&self, id: MemberId, at: Timestamp, not_since: Timestamp)
    -> Result<bool, DirectoryError>;
}

/// A group or a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// Its id.
    pub id: ListId,
    /// Its domain.
    pub domain: DomainId,
    /// Its address.
    pub address: Address,
    /// How it treats mail.
    pub style: Style,
}

/// How a list treats mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Style {
    /// A group: mail goes on as it came. Otherwise it says that it comes from a list.
    pub is_group: bool,
    /// Who may write to it.
    pub posters: Posters,
    /// What stands in brackets before each subject.
    pub tag: Option<String>,
    /// Whether answers go to the list.
    pub answers_to_list: bool,
}

/// Who may write to a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Posters {
    /// Everybody.
    Anyone,
    /// Its members.
    Members,
    /// Members that moderate it.
    Moderators,
}

impl Posters {
    /// Every choice, with the word for it.
    pub const ALL: [(Posters, &'static str); 3] =
        [(Posters::Anyone, "anyone"), (Posters::Members, "members"), (Posters::Moderators, "moderators")];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(posters, _)| *posters == self).map_or("", |(_, word)| word)
    }

    /// The choice that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(posters, _)| *posters)
    }
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its id; never given again.
    pub id: MemberId,
    /// Of which list.
    pub list: ListId,
    /// Where its mail goes.
    pub address: Address,
    /// Whether it may write where only moderators may.
    pub moderates: bool,
    /// Failures in a row.
    pub bounces: u32,
    /// What the last one said.
    pub why: String,
    /// Since when it gets no mail, because of too many failures.
    pub suspended: Option<Timestamp>,
}
