//! Tests of the MIME reader.
