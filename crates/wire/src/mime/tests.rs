//! Tests of the MIME reader.

mod describe;
mod fields;
mod hostile;
mod structure;
mod transfer;
