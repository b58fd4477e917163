//! Who calls, and what they may ask.

mod asserting;
mod authority;
mod credentials;
mod handshakes;
mod tls;
mod token_key;
mod tokens;
