//! What is announced: only what works, and only where it does.

use super::completion::Completion;
use super::{Config, Session};
use crate::sasl::Mechanism;

/// Before log-in.
const BEFORE: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE SASL-IR LANGUAGE I18NLEVEL=1";

/// Added after log-in.
const AFTER: &str = "IDLE NAMESPACE CHILDREN MULTIAPPEND CATENATE REPLACE URLAUTH URLAUTH=BINARY MULTISEARCH BINARY UNSELECT UIDPLUS ESEARCH SEARCHRES WITHIN SORT \
    SORT=DISPLAY ESORT CONTEXT=SEARCH CONTEXT=SORT PARTIAL THREAD=REFERENCES THREAD=ORDEREDSUBJECT LIST-EXTENDED LIST-STATUS SPECIAL-USE \
    CREATE-SPECIAL-USE MOVE CONDSTORE QRESYNC STATUS=SIZE OBJECTID SAVEDATE PREVIEW UTF8=ACCEPT \
    QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE UNAUTHENTICATE UIDONLY INPROGRESS COMPRESS=DEFLATE METADATA LIST-METADATA \
    ACL RIGHTS=kxte LIST-MYRIGHTS";

/// Tags of languages that the server's texts are in (RFC 5255 §3.2): English, which is what `i-default` means too.
const LANGUAGES: [&str; 2] = ["en", "i-default"];

impl Session {
    /// Appends the capabilities before log-in.
    pub(super) fn capabilities(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(BEFORE.as_bytes());
        if self.config.starttls && self.tls.is_none() {
            out.extend_from_slice(b" STARTTLS");
        }
        if !self.passwords_allowed() {
            // RFC 9051 §6.2.3
            out.extend_from_slice(b" LOGINDISABLED");
            return;
        }
        for mechanism in Mechanism::offered(self.config.scram, self.tls.as_ref()) {
            out.extend_from_slice(b" AUTH=");
            out.extend_from_slice(mechanism.name().as_bytes());
        }
    }

    pub(super) fn passwords_allowed(&self) -> bool {
        self.tls.is_some() || self.config.clear_passwords
    }
}

/// Appends the capabilities after log-in.
pub(super) fn logged_in(config: &Config, out: &mut Vec<u8>) {
    out.extend_from_slice(BEFORE.as_bytes());
    out.push(b' ');
    out.extend_from_slice(AFTER.as_bytes());
    // RFC 7889
    out.extend_from_slice(b" APPENDLIMIT=");
    super::print::number(out, config.limits.message_octets);
}

/// LANGUAGE (RFC 5255 §3.2, §3.3): names the languages, or takes the first of the ranges asked for that is one.
pub(super) fn language(ranges: &[String], out: &mut Vec<u8>) -> Completion {
    let matching = |range: &String| {
        let range = range.to_ascii_lowercase();
        let known = LANGUAGES.iter().find(|tag| range == **tag || range.starts_with(&format!("{tag}-")));
        known.copied().or((range == "*" || range == "default").then_some("i-default"))
    };
    let shown = match (ranges, ranges.iter().find_map(matching)) {
        ([], _) => LANGUAGES.join(" "),
        (_, Some(chosen)) => chosen.to_owned(),
        (_, None) => return Completion::no("none of these languages is spoken here"),
    };
    out.extend_from_slice(format!("* LANGUAGE ({shown})\r\n").as_bytes());
    Completion::ok("LANGUAGE completed")
}

/// Appends our ID (RFC 2971).
pub(super) fn id(config: &Config, out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ID (\"name\" \"Mailward\"");
    if let Some(version) = &config.version {
        out.extend_from_slice(b" \"version\" ");
        super::print::string(out, version.as_bytes());
    }
    out.extend_from_slice(b")\r\n");
}
