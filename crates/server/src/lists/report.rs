//! Reports on mail to members, read (RFC 3464).

use gate::Spooled;
use std::io;
use wire::mime::PartId;

/// Octets of a report's fields that are looked at.
const FIELDS_OCTETS: usize = 16 * 1024;

/// Characters that are kept of what a report says.
const WHY: usize = 200;

/// What a report says of a failure for good, if it tells of one; a report on mail that is late, or an answer by a
/// machine, tells of none.
pub fn failure(mail: &Spooled) -> io::Result<Option<String>> {
    let is_report = |part: &wire::mime::Part| {
        part.content_type.is("message", "delivery-status")
            || part.content_type.is("message", "global-delivery-status")
    };
    let Some((id, _)) = mail.tree.iter().find(|(_, part)| is_report(part)) else { return Ok(None) };
    Ok(failure_in(&fields(mail, id)?))
}

fn fields(mail: &Spooled, id: PartId) -> io::Result<String> {
    let mut octets = Vec::new();
    mail.tree.decode_body(id, mail.octets.as_ref(), &mut octets)?;
    octets.truncate(FIELDS_OCTETS);
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// RFC 3464 §2.3: `Action: failed` and a status of class 5 in the same group of fields.
fn failure_in(fields: &str) -> Option<String> {
    let unfolded = fields.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    unfolded.split("\n\n").find_map(|group| {
        let value = |name: &str| {
            group.lines().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.trim().eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let failed = value("Action")?.to_ascii_lowercase().starts_with("failed");
        let status = value("Status")?;
        (failed && status.starts_with('5')).then(|| {
            let why = value("Diagnostic-Code").unwrap_or(status);
            why.chars().filter(|c| !c.is_control()).take(WHY).collect()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &str, expected: Option<&str>) {
        assert_eq!(failure_in(&fields.replace('\n', "\r\n")).as_deref(), expected, "{fields}");
    }

    /// RFC 3464 appendix E, and what is no failure.
    #[test]
    fn reports_are_read() {
        let head = "Reporting-MTA: dns; cs.utk.edu\n\n";
        let recipient = "Original-Recipient: rfc822;louisl@larry.slip.umd.edu\nFinal-Recipient: rfc822;louisl@larry.slip.umd.edu\n";
        let diagnostic = "Diagnostic-Code: smtp; 426 connection timed out\n";
        let group =
            |action: &str, status: &str| format!("{head}{recipient}Action: {action}\nStatus: {status}\n");
        check(&(group("failed", "4.0.0") + diagnostic), None);
        check(&group("delayed", "4.4.1"), None);
        check(&group("relayed", "2.1.9"), None);
        check(&group("Failed", "5.1.1"), Some("5.1.1"));
        let folded = "Diagnostic-Code: smtp;\n  550 5.1.1 no such\n\tuser\n";
        check(&(group("failed", "5.1.1") + folded), Some("smtp;  550 5.1.1 no such user"));
        // Of one recipient, not of two.
        check(&format!("{head}Action: failed\n\nAction: delayed\nStatus: 5.0.0\n"), None);
        check("", None);
    }
}
