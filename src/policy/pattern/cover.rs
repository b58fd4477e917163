//! Whether one pattern matches all that another matches.

use super::Pattern;

/// A piece of a pattern: one byte, or one wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Star { min: usize },
    DoubleStar,
}

/// Walks both patterns at once: a wildcard of `outer` may stand for pieces of `inner` that can never be what it cannot
/// stand for. `open[i]` tells whether the first pieces of `outer` match the first `i` pieces of `inner`.
pub(super) fn covers(outer: &Pattern, inner: &Pattern) -> bool {
    if outer == inner {
        return true;
    }
    if inner.is_exact() {
        return outer.matches(&inner.text);
    }
    if outer.is_exact() {
        return false;
    }
    let pieces = pieces(inner);
    let mut open = vec![false; pieces.len() + 1];
    if let Some(start) = open.first_mut() {
        *start = true;
    }
    for piece in self::pieces(outer) {
        open = step(outer, inner, piece, &pieces, &open);
    }
    open.last().copied().unwrap_or(false)
}

fn step(outer: &Pattern, inner: &Pattern, piece: Piece, pieces: &[Piece], open: &[bool]) -> Vec<bool> {
    let mut next = vec![false; open.len()];
    // Whether a wildcard is running, and whether it already stands for enough.
    let mut running = None;
    for (at, reached) in open.iter().enumerate() {
        let inner_piece = pieces.get(at);
        match piece {
            Piece::Byte(byte) => {
                if *reached
                    && inner_piece == Some(&Piece::Byte(byte))
                    && let Some(slot) = next.get_mut(at + 1)
                {
                    *slot = true;
                }
                continue;
            }
            Piece::Star { min } if *reached => running = Some(running.unwrap_or(false) || min == 0),
            Piece::DoubleStar if *reached => running = Some(true),
            _ => {}
        }
        if let (Some(true), Some(slot)) = (running, next.get_mut(at)) {
            *slot = true;
        }
        running = match (running, inner_piece) {
            (Some(enough), Some(inner_piece)) if may_stand_for(outer, inner, piece, *inner_piece) => {
                Some(enough || matches!(inner_piece, Piece::Byte(_) | Piece::Star { min: 1.. }))
            }
            _ => None,
        };
    }
    next
}

/// Whether the wildcard `wild` of `outer` can stand for all that `piece` of `inner` can be.
fn may_stand_for(outer: &Pattern, inner: &Pattern, wild: Piece, piece: Piece) -> bool {
    if wild == Piece::DoubleStar {
        return true;
    }
    match piece {
        Piece::Byte(byte) => !outer.separators.contains(byte),
        Piece::Star { .. } => inner.separators.includes(outer.separators),
        Piece::DoubleStar => outer.separators == super::Separators::default(),
    }
}

fn pieces(pattern: &Pattern) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(pattern.text.len());
    for (number, chunk) in pattern.chunks.iter().enumerate() {
        if number > 0 {
            pieces.push(Piece::DoubleStar);
        }
        pieces.extend(pattern.literal(&chunk.first).iter().copied().map(Piece::Byte));
        for (star, literal) in &chunk.rest {
            pieces.push(Piece::Star { min: star.min });
            pieces.extend(pattern.literal(literal).iter().copied().map(Piece::Byte));
        }
    }
    pieces
}
