//! Room `decide`.
