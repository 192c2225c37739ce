//! A list's own addresses: what follows the `+` behind its name.

use base::{Address, ListId, MemberId};
use std::fmt::Write;
use store::Store;
use store::lists::{List, Member};

/// Octets of a list's name: with what follows the `+`, a local part has no more than 64 (RFC 5321 §4.5.3.1.1).
pub const MOST_NAME: usize = 24;

/// Octets of a mark that are written, each in two digits.
const MARK_OCTETS: usize = 8;

/// What one of a list's own addresses is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Those who answer for the list.
    Owner,
    /// To leave it.
    Unsubscribe,
    /// Reports on mail to a member: the reverse-path of its mail.
    Bounce(MemberId),
    /// A member's word that it wants to leave.
    Leave(MemberId),
}

impl Purpose {
    /// What an address of a list is for; the marks in those of members are this store's own, or it is for nothing.
    pub fn of(detail: &str, list: ListId, store: &dyn Store) -> Option<Self> {
        let detail = detail.to_ascii_lowercase();
        match detail.as_str() {
            "owner" => return Some(Purpose::Owner),
            "unsubscribe" => return Some(Purpose::Unsubscribe),
            _ => {}
        }
        let (kind, rest) = detail.split_once('-')?;
        let member = MemberId(rest.split_once('-')?.0.parse().ok()?);
        let purpose = match kind {
            "b" => Purpose::Bounce(member),
            "l" => Purpose::Leave(member),
            _ => return None,
        };
        (purpose.detail(list, store) == detail).then_some(purpose)
    }

    fn detail(self, list: ListId, store: &dyn Store) -> String {
        let (kind, member) = match self {
            Purpose::Owner => return "owner".into(),
            Purpose::Unsubscribe => return "unsubscribe".into(),
            Purpose::Bounce(member) => ("b", member),
            Purpose::Leave(member) => ("l", member),
        };
        let pieces = [b"list member", kind.as_bytes(), &list.0.to_be_bytes(), &member.0.to_be_bytes()];
        let mut text = format!("{kind}-{member}-");
        for octet in store.mark(&pieces).0.iter().take(MARK_OCTETS) {
            // Writing to a text can't fail.
            let _ = write!(text, "{octet:02x}");
        }
        text
    }

    /// The list's address for this.
    pub fn address(self, list: &List, store: &dyn Store) -> Option<Address> {
        let Address { local, host } = &list.address;
        Address::parse(&format!("{local}+{}@{host}", self.detail(list.id, store))).ok()
    }
}

/// Whether a list can be called so: such that a `+` and more can follow without quotes.
pub fn is_name(local: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !local.is_empty() && local.len() <= MOST_NAME && local.bytes().all(plain)
}

/// The member that mail from a reverse-path of ours was for.
pub fn bounced_member(address: &Address, store: &dyn Store) -> Option<Member> {
    let Ok(store::Found::List { list, detail: Some(detail) }) = store.directory().find(address) else {
        return None;
    };
    match Purpose::of(&detail, list, store)? {
        Purpose::Bounce(member) => store.lists().member(member).ok().flatten().filter(|one| one.list == list),
        _ => None,
    }
}
