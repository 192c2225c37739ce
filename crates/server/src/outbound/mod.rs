//! Mail going out.

pub mod lanes;
pub mod route;
