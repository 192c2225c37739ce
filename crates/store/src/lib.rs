//! Mailboxes, change log, queue and sealed blobs, durable before 250.
