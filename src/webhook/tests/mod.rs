//! The sender and the courier against real receivers on this machine.

mod courier;
mod documented;
mod house;
mod receiver;
mod sender;
