//! The machine's users.

use base::address::{Host, LocalPart};
use base::{Address, Domain};
use std::fs;

/// Where their names are.
const PASSWD: &str = "/etc/passwd";

/// A user of the machine, as far as mail goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The number the kernel tells.
    pub uid: u32,
    /// The name; `uid` and the number where /etc/passwd has none.
    pub name: String,
    /// The address that is the user's own.
    pub address: Address,
    /// Whether it may send from every address.
    pub trusted: bool,
}

impl User {
    /// The user of a number; `None` if its name makes no address.
    pub fn of(uid: u32, domain: &Domain, trusted: &[String]) -> Option<Self> {
        Self::among(&fs::read_to_string(PASSWD).unwrap_or_default(), uid, domain, trusted)
    }

    fn among(passwd: &str, uid: u32, domain: &Domain, trusted: &[String]) -> Option<Self> {
        let name = name(passwd, uid).map_or_else(|| format!("uid{uid}"), str::to_owned);
        let local = LocalPart::parse(&name).ok()?;
        let address = Address { local, host: Host::Domain(domain.clone()) };
        let trusted = uid == 0 || trusted.contains(&name);
        Some(User { uid, name, address, trusted })
    }

    /// Whether the user may send from an address. A `+detail` is no part of its name: that may be somebody else's address.
    pub fn owns(&self, address: &Address) -> bool {
        self.trusted || address.is_same_mailbox(&self.address)
    }
}

/// The first name of a number in passwd(5).
fn name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == uid).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\nodd\n\
                        admin:x:0:0::/:\nbad name:x:40:40::/:\nanna:x:1000:1000:Anna:/home/anna:/bin/sh\n";

    fn check(uid: u32, address: Option<&str>, owned: &[&str], foreign: &[&str]) {
        let domain = Domain::new("example.test").unwrap();
        let user = User::among(SOME, uid, &domain, &["www-data".into()]);
        assert_eq!(user.as_ref().map(|user| user.address.to_string()).as_deref(), address);
        let owns = |text: &&&str| user.as_ref().unwrap().owns(&Address::parse(text).unwrap());
        assert_eq!(owned.iter().find(|text| !owns(text)), None);
        assert_eq!(foreign.iter().find(|text| owns(text)), None);
    }

    #[test]
    fn a_uid_decides_who_sends() {
        check(0, Some("root@example.test"), &["root@example.test", "any@example.org"], &[]);
        check(33, Some("www-data@example.test"), &["shop@example.org"], &[]);
        check(
            1000,
            Some("anna@example.test"),
            &["anna@example.test", "Anna@EXAMPLE.test"],
            &["anna@example.org", "anna+x@example.test", "root@example.test", "anna@[127.0.0.1]"],
        );
        check(4711, Some("uid4711@example.test"), &["uid4711@example.test"], &["root@example.test"]);
        check(40, None, &[], &[]);
    }
}
