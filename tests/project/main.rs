//! Holds the project to what its documents say of it.

mod architecture;
