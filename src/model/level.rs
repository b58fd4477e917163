//! Levels of approvers, 1 to 5, with the names that people use for them.

/// Names of levels: what an approval asks for, and who is meant by it.
pub const LEVEL_NAMES: [(&str, u8); 10] = [
    ("auto_approve", 1),
    ("pre_approved", 2),
    ("agent_approve", 3),
    ("manual_approve", 4),
    ("owner_override", 5),
    ("self", 1),
    ("team_member", 2),
    ("team_lead", 3),
    ("manager", 4),
    ("owner", 5),
];

/// The level that `text` writes, as a digit or by one of its names.
///
/// ```
/// use lictor::model::level_of;
/// assert_eq!([level_of("4"), level_of("manager"), level_of("manual_approve")], [Some(4); 3]);
/// assert_eq!([level_of("0"), level_of("6"), level_of("04"), level_of("Manager"), level_of("")], [None; 5]);
/// ```
#[must_use]
pub fn level_of(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [digit @ b'1'..=b'5'] => Some(digit - b'0'),
        _ => LEVEL_NAMES.iter().find(|(name, _)| *name == text).map(|(_, level)| *level),
    }
}
