//! What is computed once at delivery and kept sealed beside each mail, so that lists are served without opening it.

use crate::StoreError;
use base::mailbox::Summary;
use gate::Spooled;
use wire::mime;

/// What a sealed summary is bound to: its mail.
pub(super) fn context(mail: i64) -> Vec<u8> {
    [b"summary".as_slice(), &mail.to_be_bytes()].concat()
}

/// A summary, computed.
pub(super) struct Computed {
    pub(super) head: Vec<u8>,
    envelope: Vec<u8>,
    body_structure: Vec<u8>,
}

impl Computed {
    /// Computes a message's summary.
    pub(super) fn of(mail: &Spooled) -> Result<Computed, StoreError> {
        let octets = mail.octets.as_ref();
        let failed = |e: std::io::Error| StoreError::Failed(format!("reading the spool: {e}"));
        let mut header = Vec::new();
        octets.read(mail.tree.root().header(), &mut header).map_err(failed)?;
        Ok(Computed {
            head: mime::list_head(&header),
            envelope: mime::describe::envelope(&header),
            body_structure: mime::describe::body_structure(&mail.tree, octets).map_err(failed)?,
        })
    }

    /// In one piece: two lengths, then the three parts.
    pub(super) fn joined(&self) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut all =
            Vec::with_capacity(8 + self.head.len() + self.envelope.len() + self.body_structure.len());
        all.extend_from_slice(&length(&self.head));
        all.extend_from_slice(&length(&self.envelope));
        all.extend_from_slice(&self.head);
        all.extend_from_slice(&self.envelope);
        all.extend_from_slice(&self.body_structure);
        all
    }
}

/// Takes a joined summary apart.
pub(super) fn split(joined: &[u8]) -> Option<Summary<'_>> {
    let (head_length, rest) = joined.split_first_chunk::<4>()?;
    let (envelope_length, rest) = rest.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*head_length) as usize)?;
    let (envelope, body_structure) = rest.split_at_checked(u32::from_le_bytes(*envelope_length) as usize)?;
    Some(Summary { head, envelope, body_structure })
}

/// The subject in a summary's head, decoded.
pub(super) fn subject(head: &[u8]) -> String {
    mime::header::get(head, "subject")
        .map(|value| mime::word::decode(&value).trim().to_owned())
        .unwrap_or_default()
}
