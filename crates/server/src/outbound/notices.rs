//! What senders are told.

use super::{Outbound, Report};
use gate::Screened;
use store::StoreError;

impl Outbound {
    pub(super) async fn notices(&self, _reports: Vec<Report>) -> Result<Vec<Screened>, StoreError> {
        Ok(Vec::new())
    }
}
