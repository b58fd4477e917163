//! Room `reload`.
