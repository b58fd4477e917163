//! The real program over real sockets: started, loaded, reloaded, killed, stopped and asked from another language.

mod crash;
mod harness;
mod python;
mod reload;
mod shutdown;
