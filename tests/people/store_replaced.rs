//! An older copy of the store, or another one, in the place of the one that was there.

use std::path::Path;

use lictor::store::{Expected, Mark, Place, Store, StoreError, StoreOptions};

use crate::harness::{Fixture, approval, later, new, on_both, wait_for};
use crate::system::Lictor;

on_both! { what_is_expected_is_held_to }

async fn what_is_expected_is_held_to(mut fixture: Fixture) {
    let seen = fixture.store.read_mark().await.unwrap();
    assert_eq!((seen.epoch, seen.lineage.is_some()), (1, true));
    fixture.reopen().await;
    assert_eq!(fixture.store.read_mark().await.unwrap().lineage, seen.lineage, "it stays");

    // Nothing can run again in a store without approvals: it begins a later epoch.
    let expect = |mark: Mark| Some(Expected { mark, owner: "me".into() });
    fixture.options.expected = expect(Mark { epoch: 5, ..Mark::default() });
    fixture.reopen().await;
    let begun = fixture.store.read_mark().await.unwrap();
    assert_eq!((begun.epoch, fixture.store.epoch()), (6, Some(6)));
    assert_ne!(begun.lineage, seen.lineage);

    fixture.created(|_| {}).await;
    fixture.options.expected = expect(begun);
    fixture.reopen().await;
    fixture.store.close().await;
    for (mark, why) in [
        (Mark { epoch: 7, ..begun }, "of epoch 6, and this state directory has seen epoch 7"),
        (Mark { lineage: begun.lineage.map(|lineage| lineage ^ 1), ..begun }, "another database, also of epoch 6"),
    ] {
        fixture.options.expected = expect(mark);
        let refused = Store::open(fixture.options.clone()).await.expect_err("it is another");
        let said = refused.to_string();
        assert!(matches!(refused, StoreError::Replaced { .. }), "{said}");
        assert!(said.contains(why) && said.contains("lictor restore --epoch-only"), "{said}");
    }
    fixture.options.expected = None;
    fixture.store = Store::open(fixture.options.clone()).await.unwrap();
    assert_eq!(fixture.store.raise_epoch(7, "me").await.unwrap(), 8);
    fixture.options.expected = expect(Mark { epoch: 7, ..begun });
    fixture.reopen().await;
    assert_eq!(fixture.store.epoch(), Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_exchanged_beneath_a_server_is_used_no_more() {
    let fixture = Fixture::postgres().await;
    let Place::Postgres { url, .. } = &fixture.options.place else { panic!("a URL") };
    let store = &fixture.store;
    store.raise_epoch(0, "me").await.unwrap();
    store.read_mark().await.unwrap();
    fixture.created(|_| {}).await;
    let set = async |epoch: i64| {
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let mut conn = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let set = sqlx::query("UPDATE store_meta SET value = $1 WHERE name = 'epoch'").bind(epoch);
        set.execute(&mut conn).await.unwrap();
    };
    set(1).await;
    let refused = store.read_mark().await.expect_err("it is older");
    assert!(matches!(refused, StoreError::Replaced { .. }), "{refused}");
    let refused = store.figures().await.expect_err("it is not used");
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    assert!(refused.to_string().contains("lictor restore --epoch-only"), "{refused}");
    // As that does.
    set(3).await;
    let started = std::time::Instant::now();
    while store.figures().await.is_err() {
        assert!(started.elapsed() < crate::harness::PATIENCE, "it is used again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(store.read_mark().await.unwrap().epoch, 3);
}

const POLICY: &str =
    "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: r, effect: allow}\n";

fn stop(lictor: &mut Lictor) {
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
}

fn raise(lictor: &Lictor) -> String {
    let (code, printed) = lictor.command(&["restore", "--epoch-only", "--state", "state"]);
    assert_eq!(code, 0, "{printed}");
    printed
}

/// Starts a server that must refuse to, and gives what it says.
fn refused(lictor: &mut Lictor) -> String {
    let before = lictor.log().len();
    lictor.spawn();
    assert_eq!(lictor.wait().code(), Some(2), "{}", lictor.log());
    lictor.log()[before..].to_owned()
}

/// Adds an approval that was made `seconds` after now.
async fn add(file: &Path, seconds: i64) {
    let store = Store::open(StoreOptions::new(Place::Sqlite(file.to_owned()))).await.unwrap();
    let now = later(store.now().await.unwrap(), seconds);
    store.create_approval(new(approval(now, store.epoch().unwrap()))).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_over_an_old_copy() {
    let mut lictor = Lictor::start(POLICY);
    stop(&mut lictor);
    let (file, seen, copy) = (lictor.path("state/lictor.db"), lictor.path("state/store-epoch"), lictor.path("copy.db"));
    let noted = || std::fs::read_to_string(&seen).unwrap_or_default();
    assert!(noted().starts_with("epoch 1\nlineage "), "{}", noted());

    // Of an earlier epoch.
    add(&file, 0).await;
    std::fs::copy(&file, &copy).unwrap();
    assert!(raise(&lictor).contains("epoch 2 begins"));
    std::fs::copy(&copy, &file).unwrap();
    let said = refused(&mut lictor);
    assert!(said.contains("of epoch 1, and this state directory has seen epoch 2"), "{said}");
    assert!(said.contains("lictor restore --epoch-only") && said.contains("lictor.db"), "{said}");
    assert!(raise(&lictor).contains("epoch 3 begins"));

    // Of the same epoch, from before the last change.
    lictor.run();
    stop(&mut lictor);
    std::fs::copy(&file, &copy).unwrap();
    add(&file, 600).await;
    lictor.run();
    wait_for("clock that is behind", || lictor.metric("lictor_store_clock_behind_seconds") > 300);
    stop(&mut lictor);
    assert!(lictor.log().contains("s behind the store"), "{}", lictor.log());
    let newest = lictor.path("newest.db");
    std::fs::copy(&file, &newest).unwrap();
    std::fs::copy(&copy, &file).unwrap();
    let said = refused(&mut lictor);
    assert!(said.contains("its last change is of") && said.contains("both of epoch 3"), "{said}");
    std::fs::copy(&newest, &file).unwrap();
    lictor.run();
    stop(&mut lictor);

    // Where it is not known what the store should be.
    std::fs::write(&seen, "zwei\n").unwrap();
    let said = refused(&mut lictor);
    assert!(said.contains("store-epoch` does not hold the epoch") && said.contains("restore --epoch-only"), "{said}");
    assert!(raise(&lictor).contains("epoch 4 begins"));
    std::fs::remove_file(&seen).unwrap();
    lictor.run();
    stop(&mut lictor);
    assert!(lictor.log().contains("there is no `store-epoch`") && noted().starts_with("epoch 4\n"), "{}", lictor.log());

    // A store that is gone is begun anew, in an epoch that nothing of the lost one survives.
    std::fs::remove_file(&file).unwrap();
    lictor.run();
    stop(&mut lictor);
    assert!(noted().starts_with("epoch 5\n") && lictor.log().contains("holds no approvals"), "{}", lictor.log());
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
    lictor.run();
    stop(&mut lictor);
    assert!(noted().starts_with("epoch 6\n"), "{}", noted());
}
