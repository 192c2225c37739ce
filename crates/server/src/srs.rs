//! The Sender Rewriting Scheme: the reverse-path under which mail is sent on. It is an address of ours, so that SPF holds at
//! the next server, and a report to it finds back to who wrote the mail.
//!
//! `SRS0=HASH=DAY=host=local` stands for `local@host`. Mail that another server has sent on before us comes from its
//! `SRS0…@host` or `SRS1…`: `SRS1=HASH=host==REST` stands for `SRS0=REST@host`, so that addresses do not grow with each
//! server. Only this store can make the hash, so nobody reaches strangers through addresses of his own making.

use base::address::Host;
use base::{Address, Domain, ReversePath, Timestamp};
use std::sync::Arc;
use store::Store;

/// Days for which a report finds back: longer than mail stays in queues.
const DAYS: i64 = 21;

/// Days are counted round, in two letters.
const ROUND: i64 = 32 * 32;

/// Letters of a hash, of five bits each.
const HASH_LETTERS: usize = 6;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Rewrites addresses with a store's key.
#[derive(Clone)]
pub struct Srs {
    store: Arc<dyn Store>,
}

impl Srs {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Srs { store }
    }

    /// The address of `ours` that stands for a sender elsewhere. None where it would be none: too long (RFC 5321
    /// §4.5.3.1.1 has 64 octets for a local part), quoted, or of a host without a name.
    pub fn rewritten(&self, sender: &Address, ours: &Domain, now: Timestamp) -> Option<Address> {
        let Host::Domain(host) = &sender.host else { return None };
        let local = sender.local.as_str();
        let (kind, text) = match tagged(local) {
            Some(("SRS0", rest)) => ("SRS1", format!("{host}={rest}")),
            Some((_, rest)) => ("SRS1", rest.get(1..)?.split_once('=')?.1.to_owned()),
            None => ("SRS0", format!("{}={host}={local}", day_letters(now))),
        };
        Address::parse(&format!("{kind}={}={text}@{ours}", self.hash(kind, &text, ours))).ok()
    }

    /// The sender that an address stands for, if this store made it, not too long ago.
    pub fn original(&self, address: &Address, now: Timestamp) -> Option<Address> {
        let ours = address.domain()?;
        let (kind, rest) = tagged(address.local.as_str())?;
        let (hash, text) = rest.strip_prefix('=')?.split_once('=')?;
        if !hash.eq_ignore_ascii_case(&self.hash(kind, text, ours)) {
            return None;
        }
        let original = match kind {
            "SRS0" => {
                let (day, text) = text.split_once('=')?;
                let age = (day_of(now) - day_number(day)?).rem_euclid(ROUND);
                let (host, local) = text.split_once('=').filter(|_| age <= DAYS)?;
                format!("{local}@{host}")
            }
            _ => {
                let (host, rest) = text.split_once('=')?;
                format!("SRS0{rest}@{host}")
            }
        };
        Address::parse(&original).ok()
    }

    /// The reverse-path for mail that is sent on from an account whose own address is `own`: the null path and senders
    /// of our domains stay, others are rewritten. A sender that can't be is replaced by the account, which then hears
    /// of failures.
    pub fn reverse_path(&self, sender: &ReversePath, own: &Address, now: Timestamp) -> ReversePath {
        let ReversePath::Address(address) = sender else { return ReversePath::Null };
        let is_ours = || {
            let found = self.store.directory().find(address);
            matches!(found, Ok(found) if found != store::Found::NotOurs)
        };
        if is_ours() {
            return sender.clone();
        }
        let rewritten = own.domain().and_then(|ours| self.rewritten(address, ours, now));
        ReversePath::Address(rewritten.unwrap_or_else(|| own.clone()))
    }

    /// Relays may change the case of letters, so it does not count.
    fn hash(&self, kind: &str, text: &str, ours: &Domain) -> String {
        let text = text.to_lowercase();
        let pieces = ["srs", kind, &text, ours.as_str()].map(str::as_bytes);
        let mark = self.store.mark(&pieces).0;
        mark.iter().take(HASH_LETTERS).map(|octet| letter(i64::from(*octet))).collect()
    }
}

/// The tag of a rewritten local part, and what follows it, its separator first.
fn tagged(local: &str) -> Option<(&'static str, &str)> {
    let tag = local.get(..4)?;
    let rest = local.get(4..)?.strip_prefix(['=', '+', '-']).and(local.get(4..))?;
    let tags = ["SRS0", "SRS1"];
    tags.into_iter().find(|known| known.eq_ignore_ascii_case(tag)).map(|tag| (tag, rest))
}

fn day_of(time: Timestamp) -> i64 {
    time.0.div_euclid(86_400).rem_euclid(ROUND)
}

fn day_letters(time: Timestamp) -> String {
    let day = day_of(time);
    [letter(day / 32), letter(day)].into_iter().collect()
}

fn day_number(letters: &str) -> Option<i64> {
    let number = |letter: u8| LETTERS.iter().position(|known| letter.eq_ignore_ascii_case(known));
    match letters.as_bytes() {
        [high, low] => i64::try_from(number(*high)? * 32 + number(*low)?).ok(),
        _ => None,
    }
}

/// The letter for the lowest five bits.
fn letter(bits: i64) -> char {
    let at = usize::try_from(bits.rem_euclid(32)).unwrap_or_default();
    LETTERS.get(at).copied().map_or('a', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000);

    fn srs() -> (Srs, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        (Srs::new(crate::server::new_store(place.path())), place)
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    /// The form of the address without its hash, and that a report finds back.
    fn check(srs: &Srs, sender: &str, form: &str, back: &str) {
        let ours = Domain::new("ours.test").unwrap();
        let rewritten = srs.rewritten(&address(sender), &ours, NOW).unwrap();
        let text = rewritten.to_string();
        assert_eq!(format!("{}{}", &text[..5], &text[5 + HASH_LETTERS..]), form);
        let upper = address(&text.to_ascii_uppercase());
        for (one, expected) in [(&rewritten, back.to_owned()), (&upper, back.to_lowercase())] {
            let original = srs.original(one, NOW).unwrap().to_string();
            let original = if one == &upper { original.to_lowercase() } else { original };
            assert_eq!(original, expected, "{sender}");
        }
    }

    #[test]
    fn senders_are_rewritten_and_found_back() {
        let (srs, _place) = srs();
        let day = day_letters(NOW);
        let form = |rest: &str| format!("SRS0=={day}={rest}@ours.test");
        check(&srs, "User@a.example", &form("a.example=User"), "User@a.example");
        check(&srs, "a=b+c@a.example", &form("a.example=a=b+c"), "a=b+c@a.example");
        // A second and a third server: the address names the first one, and reports go to it.
        let first = "SRS0=abcd=ef=a.example=user@b.example";
        check(&srs, first, "SRS1==b.example==abcd=ef=a.example=user@ours.test", first);
        let second = "SRS1=wxyz=b.example==abcd=ef=a.example=user@c.example";
        check(&srs, second, "SRS1==b.example==abcd=ef=a.example=user@ours.test", first);
        let plus = "SRS0+ab=cd=a.example=user@b.example";
        check(&srs, plus, "SRS1==b.example=+ab=cd=a.example=user@ours.test", plus);
    }

    #[test]
    fn what_makes_no_address() {
        let (srs, _place) = srs();
        let ours = Domain::new("ours.test").unwrap();
        let long = format!("{}@a.example", "x".repeat(50));
        for sender in ["\"a b\"@a.example", "a@[192.0.2.1]", &long, "SRS1=x@a.example"] {
            assert_eq!(srs.rewritten(&address(sender), &ours, NOW), None, "{sender}");
        }
    }

    #[test]
    fn what_is_forged_or_old_leads_nowhere() {
        let (srs, _place) = srs();
        let ours = Domain::new("ours.test").unwrap();
        let good = srs.rewritten(&address("user@a.example"), &ours, NOW).unwrap();
        let at = |days: i64| srs.original(&good, Timestamp(NOW.0 + days * 86_400)).is_some();
        assert!(at(0) && at(DAYS) && !at(DAYS + 1) && !at(-1));
        let text = good.to_string();
        for forged in [
            text.replace("a.example", "b.example"),
            text.replace("user", "root"),
            text.replace("ours.test", "others.test"),
            text.replace("SRS0", "SRS1"),
            format!("SRS0={}", text.split_once("=").unwrap().1.split_once('=').unwrap().1),
            "SRS0=aaaaaa=aa=a.example=user@ours.test".to_owned(),
            "SRS0@ours.test".to_owned(),
            "SRS0=@ours.test".to_owned(),
            "SRS1==@ours.test".to_owned(),
            "anna@ours.test".to_owned(),
        ] {
            assert_eq!(srs.original(&address(&forged), NOW), None, "{forged}");
        }
    }

    #[test]
    fn whose_reverse_path_changes() {
        let (srs, _place) = srs();
        srs.store.directory().add_domain(&Domain::new("ours.test").unwrap()).unwrap();
        let own = address("anna@ours.test");
        let path = |sender: &str| {
            let sender =
                if sender.is_empty() { ReversePath::Null } else { ReversePath::Address(address(sender)) };
            srs.reverse_path(&sender, &own, NOW).to_string()
        };
        assert_eq!(path(""), "");
        assert_eq!(path("bert@ours.test"), "bert@ours.test");
        assert!(path("user@a.example").starts_with("SRS0="));
        assert_eq!(path(&format!("{}@a.example", "x".repeat(60))), "anna@ours.test");
    }
}
