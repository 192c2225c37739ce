//! Users of the machine, as passwd(5) and group(5) list them.

use rustix::process::{Gid, Uid};
use std::fs;

/// A user with its groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// The number.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
    /// All its groups.
    pub groups: Vec<Gid>,
}

impl Identity {
    /// `USER` or `USER:GROUP`; `None` where one of them is not there.
    pub fn find(written: &str) -> Option<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::among(&read("/etc/passwd"), &read("/etc/group"), written)
    }

    fn among(passwd: &str, group: &str, written: &str) -> Option<Self> {
        let (name, wanted) = match written.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (written, None),
        };
        let (uid, own) = passwd.lines().find_map(|line| user(line, name))?;
        let listed: Vec<Group<'_>> = group.lines().filter_map(Group::parse).collect();
        let gid = match wanted {
            Some(wanted) => listed.iter().find(|group| group.name == wanted)?.gid,
            None => own,
        };
        let more = listed.iter().filter(|group| group.members.contains(&name)).map(|group| group.gid);
        let mut groups: Vec<u32> = std::iter::once(gid).chain(more).collect();
        groups.sort_unstable();
        groups.dedup();
        let groups = groups.into_iter().map(Gid::from_raw).collect();
        Some(Identity { name: name.to_owned(), uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), groups })
    }
}

/// The numbers of a user and its group, if this line of passwd(5) is its.
fn user(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    (fields.next()? == name).then_some(())?;
    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A line of group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(Group { name, gid, members: fields.next().unwrap_or("").split(',').collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nodd\nmailward:x:990:991::/:/usr/sbin/nologin\nbad:x:x:1::/:\n";
    const GROUP: &str = "root:x:0:\nmailward:x:991:\nssl-cert:x:110:www,mailward\nmail:x:8:mailwarden\nodd\n";

    fn check(written: &str, expected: Option<(u32, u32, &[u32])>) {
        let found = Identity::among(PASSWD, GROUP, written);
        let groups: Option<Vec<u32>> =
            found.as_ref().map(|found| found.groups.iter().map(|gid| gid.as_raw()).collect());
        let numbers = found.map(|found| (found.uid.as_raw(), found.gid.as_raw()));
        assert_eq!(numbers, expected.map(|(uid, gid, _)| (uid, gid)), "{written}");
        assert_eq!(groups.as_deref(), expected.map(|(_, _, groups)| groups), "{written}");
    }

    #[test]
    fn users_by_name() {
        check("mailward", Some((990, 991, &[110, 991])));
        check("mailward:mail", Some((990, 8, &[8, 110])));
        check("root", Some((0, 0, &[0])));
        for unknown in ["", "x", "bad", "odd", "mailward:", "mailward:none", "mailwar"] {
            check(unknown, None);
        }
    }
}
