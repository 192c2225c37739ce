//! The one door to the store: checks, verdicts, rulings and screened mail.
