//! Who calls, and what they may ask.

mod asserting;
mod credentials;
mod handshakes;
mod tls;
mod tokens;
