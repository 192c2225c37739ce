//! Which thread a message belongs to: by keyed hashes of the ids it has and refers to (RFC 8474 §5.2 leaves the
//! rule to us). No message id is kept in clear.

use super::fault::Fault;
use super::schema::int;
use super::writer::Work;
use base::AccountId;

/// Ids of one message that are looked at: its own, then the nearest.
const MOST_IDS: usize = 32;

/// Message ids in a header: the message's own first, then those it refers to, nearest first.
pub(super) fn ids(head: &[u8]) -> Vec<&[u8]> {
    let (mut own, mut reply_to, mut references) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in fields(head) {
        let list = match name.to_ascii_lowercase().as_slice() {
            b"message-id" if own.is_empty() => &mut own,
            b"in-reply-to" => &mut reply_to,
            b"references" => &mut references,
            _ => continue,
        };
        list.extend(bracketed(value));
    }
    references.reverse();
    own.truncate(1);
    let mut ids: Vec<&[u8]> = Vec::new();
    for id in own.into_iter().chain(references).chain(reply_to) {
        if ids.len() < MOST_IDS && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// Hashes of message ids, of no use without the key and in another account.
pub(super) fn hashes(key: &[u8; 32], of: AccountId, ids: &[&[u8]]) -> Vec<i64> {
    let hash = |id: &&[u8]| {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&of.0.to_be_bytes()).update(id);
        let mut short = [0; 8];
        hasher.finalize_xof().fill(&mut short);
        i64::from_be_bytes(short)
    };
    ids.iter().map(hash).collect()
}

/// The thread of a new mail: that of the nearest message it knows, or one of its own.
pub(super) fn find(work: &Work<'_>, of: AccountId, mail: i64, hashes: &[i64]) -> Result<i64, Fault> {
    let mut thread = None;
    let mut unknown = Vec::new();
    for hash in hashes {
        let sql = "SELECT thread FROM reference WHERE account = ?1 AND hash = ?2";
        let found: Option<i64> = work.first(sql, [int(of.0), *hash], |r| r.get(0))?;
        if found.is_none() {
            unknown.push(*hash);
        }
        thread = thread.or(found);
    }
    let thread = thread.unwrap_or(mail);
    for hash in unknown {
        work.run("INSERT OR IGNORE INTO reference VALUES (?1, ?2, ?3)", [int(of.0), hash, thread])?;
    }
    Ok(thread)
}

/// Name and value of each field, folded lines included.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let line = memchr::memchr(b'\n', rest.get(end..)?).map_or(rest.len(), |at| end + at + 1);
            end = line;
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at_checked(end).filter(|(field, _)| !field.is_empty())?;
        rest = after;
        let colon = memchr::memchr(b':', field).unwrap_or(field.len());
        let (name, value) = field.split_at(colon);
        Some((name.trim_ascii(), value))
    })
}

/// What stands in angle brackets.
fn bracketed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let start = memchr::memchr(b'<', rest)? + 1;
        let end = start + memchr::memchr(b'>', rest.get(start..)?)?;
        let id = rest.get(start..end)?;
        rest = rest.get(end..)?;
        Some(id)
    })
    .filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_id_first_then_the_nearest() {
        let head = b"Subject: x\r\nMessage-ID: <own@x> (comment)\r\nReferences: <oldest@x>\r\n\t<older@x>\r\n <near@x>\r\n\
                     In-Reply-To: <near@x> <other@x>\r\n";
        let text: Vec<&str> = ids(head).into_iter().map(|id| std::str::from_utf8(id).unwrap()).collect();
        assert_eq!(text, ["own@x", "near@x", "older@x", "oldest@x", "other@x"]);
        assert!(ids(b"Message-ID: none\r\nReferences: <broken\r\n\r\n").is_empty());
    }

    #[test]
    fn hashes_differ_by_account_and_key() {
        let of = |key: u8, account| hashes(&[key; 32], AccountId(account), &[b"a@x"]);
        assert_eq!(of(1, 1), of(1, 1));
        assert_ne!(of(1, 1), of(1, 2));
        assert_ne!(of(1, 1), of(2, 1));
    }
}
