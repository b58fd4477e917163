//! Durable snapshots, file by file.

use std::collections::HashSet;
use std::fs;

use super::house::{House, policy};
use crate::model::{Layer, Timestamp};
use crate::policy::SourceText;
use crate::reload::archive::{Archive, Candidate};
use crate::reload::documents::hex_sha256;

fn store(archive: &mut Archive, text: &str, residents: &HashSet<String>) -> (String, u64) {
    let digest = format!("sha256:{}", hex_sha256(text.as_bytes()));
    let revision = archive.revision_for(&digest).unwrap();
    let texts = [SourceText { name: "a.yaml".into(), layer: Layer::Organisation, text: text.into() }];
    let candidate = Candidate {
        digest: &digest,
        version: "",
        canonical: text.as_bytes(),
        documents: &[],
        texts: &texts,
        now: Timestamp::from_micros(0),
    };
    archive.store(&candidate, revision, residents).unwrap();
    (digest, revision)
}

#[test]
fn files_prove_what_a_digest_stood_for() {
    let house = House::new();
    let text = format!("# why\n{}", policy("a"));
    house.write("a.yaml", &text);
    house.reloader().first_load();
    let hex = house.live_digest().trim_start_matches("sha256:").to_owned();
    let canonical = fs::read(house.snapshots().join(format!("{hex}.json"))).unwrap();
    assert_eq!(hex_sha256(&canonical), hex);
    let source = house.snapshots().join(format!("sources/{}.yaml", hex_sha256(text.as_bytes())));
    assert_eq!(fs::read_to_string(source).unwrap(), text);
}

#[test]
fn old_revisions_are_swept_and_residents_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path().to_owned()).unwrap();
    archive.kept_revisions = 8;
    let none = HashSet::new();
    let (resident, _) = store(&mut archive, "resident", &none);
    let (forgotten, _) = store(&mut archive, "forgotten", &none);
    let residents = HashSet::from([resident.clone()]);
    let mut last = 0;
    for number in 0..100 {
        last = store(&mut archive, &format!("text {number}"), &residents).1;
    }
    assert_eq!(last, 102);
    assert!(archive.history().len() <= 8 + 32, "{}", archive.history().len());
    assert!(archive.manifest(&forgotten).is_err());
    let manifest = archive.manifest(&resident).unwrap();
    assert_eq!(&*archive.texts(&manifest).unwrap()[0].text, "resident");
    let sources = fs::read_dir(place.path().join("sources")).unwrap().count();
    assert_eq!(sources, archive.history().len());

    let again = Archive::open(place.path().to_owned()).unwrap();
    assert_eq!(again.history(), archive.history());
    assert_eq!(again.revision_for("sha256:new").unwrap(), 103);
}

#[test]
fn damage_heals_when_the_same_content_is_stored_again() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path().to_owned()).unwrap();
    let none = HashSet::new();
    let (digest, _) = store(&mut archive, "text", &none);
    let path = place.path().join(format!("sources/{}.yaml", hex_sha256(b"text")));
    fs::write(&path, "tixt").unwrap();
    let manifest = archive.manifest(&digest).unwrap();
    assert!(archive.texts(&manifest).unwrap_err().to_string().contains("does not have the hash"));
    store(&mut archive, "text", &none);
    assert_eq!(&*archive.texts(&manifest).unwrap()[0].text, "text");
}
