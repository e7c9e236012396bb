//! The file and the environment, checked, as what the program needs.

pub mod secret;
