//! Which names are of one person: nobody approves for themselves under another name.

use crate::model::{Approval, DEV_PREFIX, Text};

/// Knows the names that people and services go by.
pub trait People: std::fmt::Debug + Send + Sync {
    /// The one name of whoever goes by `name`; `name` as it is where nothing is known of it.
    fn one_name(&self, name: &str) -> Text;
}

/// Nobody goes by several names.
impl People for () {
    fn one_name(&self, name: &str) -> Text {
        name.into()
    }
}

/// Those for whom `approval` is and who asked for it, with the role of each.
pub(super) fn askers(approval: &Approval) -> [(&Text, &'static str); 4] {
    [
        (&approval.created_by, "creator"),
        (&approval.requested_by, "requested_by"),
        (&approval.on_behalf_of, "on_behalf_of"),
        (&approval.progress.settled.subject_id, "subject"),
    ]
}

/// The names in `approval` that are `principal`'s, now or when it was created.
pub(super) fn own_names(people: &dyn People, approval: &Approval, principal: &str) -> Vec<Text> {
    let known_as = &approval.progress.settled.known_as;
    let is_own = |name: &Text| {
        let then = known_as.iter().filter(|(written, _)| written == name).map(|(_, one)| one.as_str());
        is_same(name, principal)
            || is_same(&people.one_name(name), principal)
            || is_same(&people.one_name(without_mark(name)), principal)
            || then.into_iter().any(|one| is_same(one, principal) || is_same(&people.one_name(one), principal))
    };
    let names = askers(approval).into_iter().map(|(name, _)| name);
    names.filter(|name| !name.is_empty() && is_own(name)).cloned().collect()
}

/// What `names` stand for, where that is something else.
pub(super) fn known_as<'a>(people: &dyn People, names: impl IntoIterator<Item = &'a Text>) -> Vec<(Text, Text)> {
    let pairs = names.into_iter().map(|name| (name.clone(), people.one_name(name)));
    pairs.filter(|(name, one)| name != one).collect()
}

/// Whether two names are the same to a human eye: blanks, the case of ASCII letters and the mark of asserted names make no
/// difference.
fn is_same(a: &str, b: &str) -> bool {
    let words = |name| without_mark(name).split_whitespace();
    words(a).map(str::to_ascii_lowercase).eq(words(b).map(str::to_ascii_lowercase))
}

/// `name` without the mark of asserted names, however often and in whatever case it is written.
fn without_mark(name: &str) -> &str {
    let mut name = name.trim();
    while let Some((mark, rest)) = name.split_at_checked(DEV_PREFIX.len())
        && mark.eq_ignore_ascii_case(DEV_PREFIX)
    {
        name = rest.trim();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::machine::tests::approval;
    use crate::model::ApprovalStatus;

    /// Alice has a certificate; what she is called may change.
    #[derive(Debug)]
    struct Called(&'static str);

    impl People for Called {
        fn one_name(&self, name: &str) -> Text {
            if name == "cn:alice" { self.0.into() } else { name.into() }
        }
    }

    #[test]
    fn a_person_is_known_by_every_name() {
        for (name, principal, own) in [
            ("alice", "alice", true),
            (" Alice\t", "alice", true),
            ("cn:alice", "alice", true),
            ("dev:alice", "alice", true),
            ("alice", "dev:alice", true),
            ("dev:cn:alice", "alice", true),
            ("dev: Dev:ALICE", "alice", true),
            ("Bob  Smith", "bob smith", true),
            ("BobSmith", "bob smith", false),
            ("cn:alice", "bob", false),
            ("cn:bob", "alice", false),
            ("", "alice", false),
        ] {
            for role in 0..4 {
                let mut approval = approval(ApprovalStatus::Pending);
                let settled = &mut approval.progress.settled.subject_id;
                let fields =
                    [&mut approval.created_by, &mut approval.requested_by, &mut approval.on_behalf_of, settled];
                *fields.into_iter().nth(role).expect("a role") = name.into();
                let found = own_names(&Called("alice"), &approval, principal);
                assert_eq!(found, if own { vec![Text::from(name)] } else { Vec::new() }, "{name:?} {principal} {role}");
            }
        }
    }

    #[test]
    fn what_a_name_stood_for_at_the_creation_counts_too() {
        let mut approval = approval(ApprovalStatus::Pending);
        approval.requested_by = "cn:alice".into();
        approval.progress.settled.known_as = known_as(&Called("alice"), [&approval.requested_by, &approval.created_by]);
        assert_eq!(approval.progress.settled.known_as, [("cn:alice".into(), "alice".into())]);
        for (called, principal, own) in
            [("cn:alice", "alice", true), ("alice.b", "alice", true), ("alice.b", "alice.b", true), ("x", "bob", false)]
        {
            assert_eq!(!own_names(&Called(called), &approval, principal).is_empty(), own, "{called} {principal}");
        }
    }
}
