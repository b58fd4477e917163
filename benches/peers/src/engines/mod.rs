//! The engines, each set up as its own documentation advises, each deciding prepared questions.

mod casbin;
mod cedar;
mod cel;
mod index;
mod lictor;
mod regorus;

use crate::work::Ask;

/// An engine with its rules loaded.
pub trait Engine {
    /// Makes `ask` the question. Not measured.
    fn prepare(&mut self, ask: Ask);
    /// Decides the prepared question.
    fn decide(&mut self) -> bool;
}

/// Name of an engine, and what loads so many rules into it.
pub type Loader = (&'static str, fn(usize) -> Box<dyn Engine>);

/// All engines, Lictor first, the floor last.
pub const ENGINES: [Loader; 6] = [
    ("lictor (library)", lictor::load),
    ("cel crate, indexed by action by hand", cel::load),
    ("regorus RVM, rules as data indexed by action", regorus::load),
    ("cedar-policy", cedar::load),
    ("casbin", casbin::load),
    ("floor: hash index and comparisons in Rust", index::load),
];
