//! Every coding, in every cut.
