//! Real directories, real watches, a real state directory. Whatever takes time is waited for with a deadline.

mod house;

mod archive;
mod attempts;
mod restart;
mod sources;
mod watching;
