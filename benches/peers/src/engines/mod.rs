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

/// What loads so many rules into an engine.
pub type Load = fn(usize) -> Box<dyn Engine>;

/// All engines, by the crate, a word about how it is used, and what loads it: Lictor first, the floor last.
pub const ENGINES: [(&str, &str, Load); 6] = [
    ("lictor", "as a library", lictor::load),
    ("cel", "indexed by action by hand", cel::load),
    ("regorus", "RVM, rules as data indexed by action", regorus::load),
    ("cedar-policy", "a policy a rule", cedar::load),
    ("casbin", "attributes in the matcher", casbin::load),
    ("floor", "hash index and comparisons in Rust", index::load),
];

/// What a report calls the engine: the crate, its version, and how it is used.
pub fn label((name, how, _): (&str, &str, Load)) -> String {
    let entry = include_str!("../../Cargo.lock")
        .split("[[package]]")
        .find(|entry| entry.contains(&format!("\nname = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
    version.map_or_else(|| format!("{name}: {how}"), |version| format!("{name} {}: {how}", version.trim_matches('"')))
}
