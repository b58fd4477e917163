//! What a state directory keeps from one process to the next.

use std::fs;

use super::house::{House, policy, write};
use crate::model::Layer;
use crate::reload::*;

#[test]
fn revisions_go_on_and_the_same_documents_keep_theirs() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    house.reloader().first_load();
    house.write("a.yaml", &policy("b"));
    house.reloader().first_load();
    house.reloader().first_load();
    house.write("a.yaml", &policy("a"));
    house.reloader().first_load();
    let published = house.events.published();
    let revisions: Vec<u64> = published.iter().map(|it| it.snapshot.revision).collect();
    assert_eq!(revisions, [1, 2, 2, 3]);
    assert_eq!(published[0].snapshot.digest, published[3].snapshot.digest);
    // Every start is on record; one with the same documents changes nothing.
    assert_eq!(published[2].previous.as_ref(), Some(&published[2].snapshot));
    assert!(published[2].changes.is_empty());
    // What changed while no process ran is told at the next start.
    assert_eq!((published[1].changes.added.len(), published[1].changes.removed.len()), (1, 1));
}

#[test]
fn former_snapshots_resolve_again_after_a_restart() {
    let mut house = House::new();
    write(&house.path().join("system.yaml"), policy("base"));
    let mut options = house.options();
    options.sources.push(PolicySource { path: house.path().join("system.yaml"), layer: Layer::System });
    let mut digests = Vec::new();
    {
        let mut reloader = house.reloader_with(options.clone());
        for name in ["a", "b", "a", "c"] {
            house.write("a.yaml", &policy(name));
            reloader.attempt(Trigger::Watch);
            digests.push(house.live_digest());
        }
    }
    // A text that was tampered with does not come back under the old digest.
    let sources = house.snapshots().join("sources");
    let of_b = fs::read_dir(&sources).unwrap().flatten().map(|entry| entry.path());
    let of_b = of_b.filter(|path| fs::read_to_string(path).unwrap().contains("b.read")).collect::<Vec<_>>();
    assert_eq!(of_b.len(), 1);
    write(&of_b[0], policy("b").replace("b.read", "**"));

    house.holder = Default::default();
    let mut reloader = house.reloader_with(options);
    reloader.first_load();
    assert_eq!(reloader.restore_residents(), 1);
    let residents = house.holder.load();
    assert_eq!(residents.live().unwrap().digest(), digests[3]);
    let former = residents.pinned(&digests[0]).expect("the first snapshot is resident");
    assert_eq!(former.revision(), 3);
    assert_eq!(former.label().rules.iter().map(|rule| rule.rule.as_str()).collect::<Vec<_>>(), ["base", "a"]);
    assert!(residents.pinned(&digests[1]).is_none());
    assert_eq!(reloader.restore_residents(), 0, "once is enough");
}

#[test]
fn what_a_crash_leaves_means_nothing() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    house.reloader().first_load();
    let digest = house.live_digest();
    let stray = "0".repeat(64);
    for name in
        [".HEAD.tmp", &format!("{stray}.json"), &format!("{stray}.manifest.json"), &format!("sources/{stray}.yaml")]
    {
        write(&house.snapshots().join(name), "{\"format\":1,\"rev");
    }
    write(&house.snapshots().join("notes.txt"), "an operator's");
    let mut reloader = house.reloader();
    reloader.first_load();
    assert_eq!((house.live_digest(), house.live_revision()), (digest.clone(), Some(1)));
    let mut left: Vec<String> = fs::read_dir(house.snapshots())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().replace(digest.trim_start_matches("sha256:"), "<a>"))
        .collect();
    left.sort();
    assert_eq!(left, ["<a>.json", "<a>.manifest.json", "HEAD", "notes.txt", "sources"]);
    assert_eq!(fs::read_dir(house.snapshots().join("sources")).unwrap().count(), 1);
}

#[test]
fn a_head_that_is_damaged_or_lost_is_an_error_and_never_a_new_count() {
    let damage: [(&str, Option<&str>); 4] = [
        ("is missing although", None),
        ("cannot be understood", Some("{\"format\": 1")),
        ("has the format 9", Some("{\"format\": 9, \"revision\": 1, \"history\": []}")),
        (
            "names a revision that cannot be",
            Some(
                "{\"format\": 1, \"revision\": 1, \"history\": [{\"revision\": 1, \"digest\": \"../../etc/passwd\", \
                 \"semantics\": 1, \"published_at\": \"\"}]}",
            ),
        ),
    ];
    for (expected, text) in damage {
        let house = House::new();
        house.write("a.yaml", &policy("a"));
        house.reloader().first_load();
        let head = house.snapshots().join("HEAD");
        match text {
            None => fs::remove_file(&head).unwrap(),
            Some(text) => write(&head, text),
        }
        let made = Reloader::new(house.options(), &house.state(), house.holder.clone(), Box::new(house.events.clone()));
        let error = made.err().expect("a damaged archive").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
