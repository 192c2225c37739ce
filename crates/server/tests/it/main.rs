//! Tests of the whole server: layering, and the running binary against suites, clients and crashes.

mod layers;
