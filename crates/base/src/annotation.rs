//! Annotations of mailboxes and of the server (RFC 5464).

/// An annotation's name, in lower case: `/private/comment`, `/shared/vendor/…`.
///
/// It begins with its scope, holds printable ASCII without `*` and `%`, and no component of it is empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryName(String);

impl EntryName {
    /// The longest name, in octets.
    pub const MAX_OCTETS: usize = 1000;

    /// Checks a name (RFC 5464 §3.2). A scope alone is one too: GETMETADATA may ask for all that is below it.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let mut components = name.strip_prefix('/')?.split('/');
        let scope = components.next()?;
        let printable = |c: char| (' '..='~').contains(&c) && c != '*' && c != '%';
        let fits = name.len() <= Self::MAX_OCTETS
            && (scope == "private" || scope == "shared")
            && components.all(|component| !component.is_empty())
            && name.chars().all(printable);
        fits.then_some(EntryName(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one user sets it, and nobody else sees it.
    pub fn is_private(&self) -> bool {
        self.0.starts_with("/private")
    }

    /// Whether an annotation can have this name: it has two components, in a vendor's space four (RFC 5464 §3.2).
    pub fn can_be_set(&self) -> bool {
        let mut components = self.0.split('/').skip(2);
        match components.next() {
            None => false,
            Some("vendor") => components.count() >= 2,
            Some(_) => true,
        }
    }

    /// How many levels `self` lies below `other`; 0 where they are the same.
    pub fn levels_below(&self, other: &EntryName) -> Option<usize> {
        let rest = self.0.strip_prefix(&other.0)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.matches('/').count())
    }
}

/// An annotation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Annotation {
    /// Its name.
    pub entry: EntryName,
    /// Its value, any octets.
    pub value: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, valid, settable) in [
            ("/shared/comment", true, true),
            ("/PRIVATE/Comment", true, true),
            ("/private/filters/values/small", true, true),
            ("/shared/vendor/cmu/cyrus-imapd/color", true, true),
            ("/shared/vendor/cmu", true, false),
            ("/shared", true, false),
            ("/private/a b", true, true),
            ("/public/comment", false, false),
            ("shared/comment", false, false),
            ("/sharedness/comment", false, false),
            ("/shared//comment", false, false),
            ("/shared/comment/", false, false),
            ("/shared/comm*", false, false),
            ("/shared/comm%", false, false),
            ("/shared/größe", false, false),
            ("/shared/a\x01", false, false),
            ("/", false, false),
            ("", false, false),
        ] {
            let name = EntryName::new(text);
            assert_eq!((name.is_some(), name.is_some_and(|n| n.can_be_set())), (valid, settable), "{text}");
        }
        assert!(EntryName::new(&format!("/shared/{}", "a".repeat(EntryName::MAX_OCTETS))).is_none());
    }

    #[test]
    fn levels() {
        let name = |text| EntryName::new(text).unwrap();
        for (below, above, levels) in [
            ("/private/a", "/private/a", Some(0)),
            ("/private/a/b", "/private/A", Some(1)),
            ("/private/a/b/c", "/private/a", Some(2)),
            ("/private/ab", "/private/a", None),
            ("/private/a", "/private/a/b", None),
            ("/shared/a", "/private", None),
        ] {
            assert_eq!(name(below).levels_below(&name(above)), levels, "{below} {above}");
        }
    }
}
