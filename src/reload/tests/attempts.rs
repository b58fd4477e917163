//! One attempt at a time: what is published, refused, told and kept.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::house::{House, bad_policy, chmod, make_directory, policy, write};
use crate::model::Layer;
use crate::policy::{Loaded, SourceText};
use crate::reload::*;

fn names(entries: &[DocumentEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.name.to_string()).collect()
}

#[test]
fn a_good_set_is_published_with_what_changed() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    house.write("b.yaml", &policy("b"));
    let mut reloader = house.reloader();
    assert!(matches!(reloader.first_load(), Outcome::Published(_)));
    assert_eq!(house.live_rules(), ["a", "b"]);

    house.write("b.yaml", &policy("b").replace("b.read", "b.write"));
    house.write("c.yaml", &policy("c"));
    fs::remove_file(house.policies().join("a.yaml")).unwrap();
    let Outcome::Published(second) = reloader.attempt(Trigger::Watch) else { panic!("not published") };
    assert_eq!(house.live_rules(), ["b", "c"]);
    assert_eq!(names(&second.changes.added), ["Policy/c"]);
    assert_eq!(names(&second.changes.changed), ["Policy/b"]);
    assert_eq!(names(&second.changes.removed), ["Policy/a"]);
    assert_eq!((second.policies(), second.rules()), (2, 2));

    let published = house.events.published();
    assert_eq!(published.len(), 2);
    assert_eq!(published[0].previous, None);
    assert_eq!(published[1].previous.as_ref(), Some(&published[0].snapshot));
    assert_eq!((published[0].snapshot.revision, published[1].snapshot.revision), (1, 2));
    assert_eq!(published[1].snapshot.digest, house.live_digest());
    assert_eq!(reloader.status().counts(), ReloadCounts { published: 2, unchanged: 0, refused: 0 });
}

#[test]
fn one_bad_file_refuses_all_and_every_error_is_told() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let mut reloader = house.reloader();
    reloader.first_load();
    let live = house.live_digest();

    house.write("b.yaml", &bad_policy("b"));
    house.write("c.yaml", &policy("c"));
    house.write("d.yaml", &bad_policy("d"));
    symlink("/etc/hostname", house.policies().join("e.yaml")).unwrap();
    let Outcome::Refused(refusal) = reloader.attempt(Trigger::Watch) else { panic!("not refused") };
    assert_eq!(house.live_digest(), live);
    let told: Vec<String> = refusal.findings.iter().map(ToString::to_string).collect();
    for part in ["b.yaml:6:", "d.yaml:6:", "`alow`", "`allow`", "e.yaml` leads out"] {
        assert!(told.iter().any(|text| text.contains(part)), "{part} is not in {told:#?}");
    }
    assert_eq!(refusal.kept.as_ref().map(|kept| kept.digest.as_str()), Some(live.as_str()));
    let status = reloader.status().status();
    assert_eq!(status.failure.as_ref().map(|failure| failure.refusal.clone()), Some(refusal));

    // The same files again: nothing new to tell, unless somebody asks.
    assert!(matches!(reloader.attempt(Trigger::Poll), Outcome::Refused(_)));
    assert_eq!(house.events.refused().len(), 1);
    assert!(matches!(reloader.attempt(Trigger::Request), Outcome::Refused(_)));
    assert_eq!(house.events.refused().len(), 2);
}

#[test]
fn going_back_to_the_live_documents_clears_the_failure_without_a_revision() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let mut reloader = house.reloader();
    reloader.first_load();
    house.write("a.yaml", &bad_policy("a"));
    assert!(!reloader.attempt(Trigger::Watch).is_good());
    house.write("a.yaml", &format!("# a comment means nothing\n{}", policy("a")));
    assert!(matches!(reloader.attempt(Trigger::Watch), Outcome::Unchanged(_)));
    assert!(reloader.status().status().failure.is_none());
    assert_eq!((house.events.published().len(), house.events.refused().len()), (1, 1));
    assert_eq!(house.live_revision(), Some(1));
}

#[test]
fn from_some_policies_to_none_is_refused_unless_allowed() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let mut reloader = house.reloader();
    reloader.first_load();
    fs::remove_file(house.policies().join("a.yaml")).unwrap();
    let Outcome::Refused(refusal) = reloader.attempt(Trigger::Watch) else { panic!("not refused") };
    assert_eq!(refusal.reason, RefusalReason::NoPolicies);
    assert_eq!(house.live_rules(), ["a"]);
    drop(reloader);

    // A restart does not forget that there were some.
    let mut restarted = house.reloader();
    assert!(!restarted.first_load().is_good());
    drop(restarted);
    let mut allowing = house.reloader_with(ReloadOptions { allow_empty: true, ..house.options() });
    assert!(matches!(allowing.first_load(), Outcome::Published(_)));
    assert_eq!(house.live_rules(), Vec::<String>::new());
}

#[test]
fn a_layer_that_loses_all_its_policies_is_refused() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let system = house.path().join("system");
    make_directory(&system);
    write(&system.join("s.yaml"), policy("s"));
    let mut options = house.options();
    options.sources.push(PolicySource { path: system.clone(), layer: Layer::System });
    let mut reloader = house.reloader_with(options.clone());
    reloader.first_load();
    assert_eq!(house.live_rules(), ["a", "s"]);

    fs::remove_file(system.join("s.yaml")).unwrap();
    let Outcome::Refused(refusal) = reloader.attempt(Trigger::Watch) else { panic!("not refused") };
    assert_eq!(refusal.reason, RefusalReason::NoPolicies);
    assert!(refusal.message.contains("layer system"), "{}", refusal.message);
    assert_eq!(house.live_rules(), ["a", "s"]);
    drop(reloader);

    // Taking the source out of the configuration is no accident.
    options.sources.pop();
    assert!(house.reloader_with(options).first_load().is_good());
    assert_eq!(house.live_rules(), ["a"]);
}

#[test]
fn bad_documents_at_the_start_leave_nothing_live_until_they_are_mended() {
    let house = House::new();
    house.write("a.yaml", &bad_policy("a"));
    let mut reloader = house.reloader();
    assert!(!reloader.first_load().is_good());
    assert!(house.holder.load().live().is_none());
    house.write("a.yaml", &policy("a"));
    assert!(reloader.attempt(Trigger::Watch).is_good());
    assert_eq!(house.live_rules(), ["a"]);
}

#[test]
fn documents_go_live_only_once_they_are_durable() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let mut reloader = house.reloader();
    reloader.first_load();
    house.write("a.yaml", &policy("a").replace("a.read", "a.write"));
    // A directory cannot be replaced by a file, whoever runs the test.
    fs::rename(house.snapshots().join("HEAD"), house.snapshots().join("saved")).unwrap();
    fs::create_dir(house.snapshots().join("HEAD")).unwrap();
    for _ in 0..3 {
        let Outcome::Refused(refusal) = reloader.attempt(Trigger::Poll) else { panic!("not refused") };
        assert_eq!(refusal.reason, RefusalReason::Storage);
        assert!(refusal.message.contains("cannot write"), "{}", refusal.message);
    }
    assert_eq!(house.live_revision(), Some(1));
    assert_eq!(house.events.refused().len(), 1, "polling tells of the same failure once");

    fs::remove_dir(house.snapshots().join("HEAD")).unwrap();
    fs::rename(house.snapshots().join("saved"), house.snapshots().join("HEAD")).unwrap();
    assert!(matches!(reloader.attempt(Trigger::Poll), Outcome::Published(_)));
    assert_eq!(house.live_revision(), Some(2));
}

#[test]
fn permissions_mended_by_chmod_alone_are_noticed() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    chmod(&house.policies().join("a.yaml"), 0o666);
    let mut reloader = house.reloader();
    let Outcome::Refused(refusal) = reloader.first_load() else { panic!("not refused") };
    assert_eq!(refusal.reason, RefusalReason::Sources);
    assert!(refusal.message.contains("chmod go-w"), "{}", refusal.message);
    chmod(&house.policies().join("a.yaml"), 0o644);
    assert!(reloader.may_differ(&reloader.look()));
    assert!(matches!(reloader.attempt(Trigger::Poll), Outcome::Published(_)));
}

#[test]
fn a_loader_that_panics_keeps_what_is_live() {
    fn fails(texts: &[SourceText]) -> Loaded {
        assert!(texts.iter().all(|text| !text.text.contains("poison")), "poisoned");
        crate::policy::load(texts)
    }
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let mut reloader = house.reloader().with_loader(fails);
    reloader.first_load();
    house.write("b.yaml", &policy("poison"));
    let Outcome::Refused(refusal) = reloader.attempt(Trigger::Watch) else { panic!("not refused") };
    assert_eq!(refusal.reason, RefusalReason::Internal);
    assert_eq!(house.live_rules(), ["a"]);
    house.write("b.yaml", &policy("b"));
    assert!(reloader.attempt(Trigger::Watch).is_good());
}

#[test]
fn fifty_reloads_half_of_them_bad_are_each_told_and_never_publish_half_a_set() {
    let house = House::new();
    let mut reloader = house.reloader();
    for round in 0..50 {
        let is_bad = round % 2 == 1;
        // Two files of the same round; the first of a bad round is good.
        house.write("a.yaml", &policy(&format!("a{round}")));
        house.write("b.yaml", &if is_bad { bad_policy("b") } else { policy(&format!("b{round}")) });
        assert_eq!(reloader.attempt(Trigger::Watch).is_good(), !is_bad, "{round}");
        let last_good = round - round % 2;
        assert_eq!(house.live_rules(), [format!("a{last_good}"), format!("b{last_good}")]);
    }
    let (published, refused) = (house.events.published(), house.events.refused());
    assert_eq!((published.len(), refused.len()), (25, 25));
    let revisions: Vec<u64> = published.iter().map(|it| it.snapshot.revision).collect();
    assert_eq!(revisions, (1..=25).collect::<Vec<_>>());
    assert!(refused.iter().all(|refusal| refusal.message.contains("b.yaml:6:")), "{refused:#?}");
}

#[test]
fn a_snapshot_that_is_no_longer_resident_waits_for_its_readers() {
    let house = House::new();
    let mut reloader = house.reloader_with(ReloadOptions { grace: std::time::Duration::ZERO, ..house.options() });
    house.write("a.yaml", &policy("a"));
    reloader.first_load();
    let reader = house.holder.load();
    let first = Arc::downgrade(reader.live().unwrap());
    for round in 0..crate::snapshot::MAX_RESIDENTS {
        house.write("a.yaml", &policy(&format!("a{round}")));
        assert!(reloader.attempt(Trigger::Watch).is_good());
    }
    assert!(reloader.release_retired().1, "a request still reads the first residents");
    assert!(first.upgrade().is_some());
    drop(reader);
    assert!(!reloader.release_retired().1);
    assert!(first.upgrade().is_none());
}
