//! The topic against the log.
