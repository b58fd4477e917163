//! Real watches: every way in which editors, tools and the kubelet change files.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc;
use std::time::Duration;

use super::house::{House, Volume, bad_policy, eventually, make_directory, policy, write};
use crate::model::Layer;
use crate::reload::*;

const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_volume_is_exchanged_twice_in_a_row() {
    let house = House::new();
    let mut volume = Volume::new(&house.policies());
    volume.publish(&[("a.yaml", &policy("one"))]);
    let handle = house.watch();
    house.wait_for_rules(&["one"]);
    volume.publish(&[("a.yaml", &policy("two"))]);
    house.wait_for_rules(&["two"]);
    volume.publish(&[("a.yaml", &policy("three"))]);
    volume.publish(&[("a.yaml", &policy("four")), ("b.yaml", &policy("five"))]);
    house.wait_for_rules(&["five", "four"]);
    assert!(house.events.refused().is_empty(), "{:#?}", house.events.refused());
    handle.stop();
}

#[test]
fn files_change_in_every_way() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    house.wait_for_rules(&["a"]);

    // Written in place.
    fs::write(house.policies().join("a.yaml"), policy("a1")).unwrap();
    house.wait_for_rules(&["a1"]);
    // As editors do: written beside it, then renamed over it.
    house.write(".a.yaml.swp", &policy("a2"));
    fs::rename(house.policies().join(".a.yaml.swp"), house.policies().join("a.yaml")).unwrap();
    house.wait_for_rules(&["a2"]);
    // Or the old one renamed away first.
    fs::rename(house.policies().join("a.yaml"), house.policies().join("a.yaml~")).unwrap();
    house.write("a.yaml", &policy("a3"));
    house.wait_for_rules(&["a3"]);
    // Renamed to a name that counts.
    house.write("b.txt", &policy("b"));
    fs::rename(house.policies().join("b.txt"), house.policies().join("b.yaml")).unwrap();
    house.wait_for_rules(&["a3", "b"]);
    // A new folder with a file, and a file in a folder below it, later.
    make_directory(&house.policies().join("sub/deeper"));
    house.write("sub/c.yaml", &policy("c"));
    house.wait_for_rules(&["a3", "b", "c"]);
    house.write("sub/deeper/d.yaml", &policy("d"));
    house.wait_for_rules(&["a3", "b", "c", "d"]);
    // A folder moved in whole.
    make_directory(&house.path().join("prepared"));
    write(&house.path().join("prepared/e.yaml"), policy("e"));
    fs::rename(house.path().join("prepared"), house.policies().join("moved")).unwrap();
    house.wait_for_rules(&["a3", "b", "c", "d", "e"]);
    house.write("moved/e.yaml", &policy("e1"));
    house.wait_for_rules(&["a3", "b", "c", "d", "e1"]);
    // Removed.
    fs::remove_dir_all(house.policies().join("sub")).unwrap();
    fs::remove_file(house.policies().join("b.yaml")).unwrap();
    house.wait_for_rules(&["a3", "e1"]);
    handle.stop();
}

#[test]
fn a_bad_file_beside_good_ones_keeps_the_last_good_set() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    house.write("b.yaml", &bad_policy("b"));
    house.wait_for_refusal(0, "b.yaml:6:");
    assert_eq!(house.live_rules(), ["a"]);
    assert!(handle.status().failure.is_some());
    house.write("b.yaml", &policy("b"));
    house.wait_for_rules(&["a", "b"]);
    eventually("the failure is cleared", || handle.status().failure.is_none());
}

#[test]
fn the_directory_itself_goes_and_comes_back() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    for round in ["b", "c"] {
        let refusals = house.events.refused().len();
        fs::remove_dir_all(house.policies()).unwrap();
        house.wait_for_refusal(refusals, "does not exist");
        make_directory(&house.policies());
        house.write("a.yaml", &policy(round));
        house.wait_for_rules(&[round]);
        // It is watched again, not merely found once.
        house.write("a.yaml", &policy(&format!("{round}2")));
        house.wait_for_rules(&[&format!("{round}2")]);
    }
    handle.stop();
}

#[test]
fn a_directory_that_is_replaced_by_renaming_is_followed() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    make_directory(&house.path().join("next"));
    write(&house.path().join("next/a.yaml"), policy("b"));
    fs::rename(house.policies(), house.path().join("old")).unwrap();
    fs::rename(house.path().join("next"), house.policies()).unwrap();
    house.wait_for_rules(&["b"]);
    house.write("a.yaml", &policy("c"));
    house.wait_for_rules(&["c"]);
    handle.stop();
}

#[test]
fn a_source_may_be_a_link_that_is_exchanged() {
    let house = House::new();
    for name in ["one", "two"] {
        make_directory(&house.path().join(name));
        write(&house.path().join(name).join("a.yaml"), policy(name));
    }
    let current = house.path().join("current");
    symlink("one", &current).unwrap();
    let sources = vec![PolicySource { path: current.clone(), layer: Layer::Organisation }];
    let handle = house.watch_with(ReloadOptions { sources, ..house.options() });
    house.wait_for_rules(&["one"]);
    symlink("two", house.path().join("new")).unwrap();
    fs::rename(house.path().join("new"), &current).unwrap();
    house.wait_for_rules(&["two"]);
    write(&house.path().join("two/a.yaml"), policy("three"));
    house.wait_for_rules(&["three"]);
    handle.stop();
}

#[test]
fn a_single_file_out_of_a_volume_follows_its_generations() {
    let house = House::new();
    let mut volume = Volume::new(&house.path().join("volume"));
    volume.publish(&[("a.yaml", &policy("one"))]);
    let sources = vec![PolicySource { path: house.path().join("volume/a.yaml"), layer: Layer::Organisation }];
    let handle = house.watch_with(ReloadOptions { sources, ..house.options() });
    house.wait_for_rules(&["one"]);
    for name in ["two", "three"] {
        volume.publish(&[("a.yaml", &policy(name))]);
        house.wait_for_rules(&[name]);
    }
    handle.stop();
}

#[test]
fn touching_a_file_changes_nothing() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    house.write("a.yaml", &policy("a"));
    house.write("a.yaml", &format!("{}# only a comment\n", policy("a")));
    eventually("the comment is read", || handle.status_reader().counts().unchanged >= 1);
    assert_eq!(house.live_revision(), Some(1));
    assert_eq!(house.events.published().len(), 1);
}

#[test]
fn constant_change_does_not_put_a_load_off_for_ever() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let settle = Duration::from_secs(3600);
    let options = ReloadOptions { settle, settle_max: Duration::from_millis(100), ..house.options() };
    let _handle = house.watch_with(options);
    let mut round = 0;
    eventually("a load while files change", || {
        round += 1;
        house.write("a.yaml", &policy(&format!("a{round}")));
        house.live_revision() > Some(1)
    });
}

#[test]
fn polling_finds_what_no_watch_tells_of() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let options = ReloadOptions { watch: false, poll: Duration::from_millis(20), ..house.options() };
    let handle = house.watch_with(options);
    house.write("a.yaml", &policy("b"));
    house.wait_for_rules(&["b"]);
    house.write("b.yaml", &bad_policy("c"));
    house.wait_for_refusal(0, "b.yaml:6:");
    fs::remove_file(house.policies().join("b.yaml")).unwrap();
    eventually("the failure is cleared", || handle.status().failure.is_none());
    assert_eq!(house.events.refused().len(), 1, "however often it was polled");
    assert!(!handle.status().is_watching);
}

#[test]
fn a_load_can_be_asked_for_and_answers() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let options = ReloadOptions { watch: false, ..house.options() };
    let handle = house.watch_with(options);
    assert!(matches!(handle.reload(LONG), Some(Outcome::Unchanged(_))));
    house.write("a.yaml", &policy("b"));
    assert!(matches!(handle.reload(LONG), Some(Outcome::Published(_))));
    assert_eq!(house.live_rules(), ["b"]);
    house.write("a.yaml", &bad_policy("b"));
    let (sender, receiver) = mpsc::channel();
    handle.trigger_with(move |outcome| sender.send(outcome).unwrap());
    assert!(matches!(receiver.recv_timeout(LONG), Ok(Outcome::Refused(_))));
    // Asked again about the same files: on record again.
    handle.trigger();
    house.wait_for_refusal(1, "a.yaml:6:");
    handle.stop();
    assert!(handle.reload(LONG).is_none(), "nobody answers any more");
}

#[test]
fn the_thread_ends_when_it_is_asked_and_when_nobody_holds_it() {
    let house = House::new();
    house.write("a.yaml", &policy("a"));
    let handle = house.watch();
    let other = handle.clone();
    handle.stop();
    other.stop();
    drop((handle, other));
    // Both gave back the state directory's files: another process may go on.
    let again = house.watch();
    let events = house.events.clone();
    drop(again);
    house.write("a.yaml", &policy("b"));
    house.reloader().first_load();
    assert_eq!(events.published().len(), 3);
}
