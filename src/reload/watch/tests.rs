use notify::event::{CreateKind, DataChange, ModifyKind, RenameMode};

use super::*;
use crate::model::Layer;

#[test]
fn only_what_can_change_a_source_matters() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().canonicalize().unwrap();
    let source = PolicySource { path: base.join("policies"), layer: Layer::Organisation };
    std::fs::create_dir_all(base.join("policies/sub")).unwrap();
    let directories = BTreeSet::from([base.join("policies"), base.join("policies/sub")]);
    let relevance = Relevance::new(&[source], &directories, &base.join("policies/state"));
    let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    let created = EventKind::Create(CreateKind::Any);
    let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    for (kind, path, matters) in [
        (written, "policies/a.yaml", true),
        (closed, "policies/sub/a.yaml", true),
        (renamed, "policies/..data", true),
        (created, "policies/new-folder", true),
        (created, "policies", true),
        (renamed, "..data", true),
        // Our own reading would make us read again, for ever.
        (read, "policies/a.yaml", false),
        (read, "policies", false),
        (written, "policies/.a.yaml.swp", false),
        (written, "policies/state/journal/1.jsonl", false),
        (created, "neighbour", false),
        (written, "elsewhere/a.yaml", false),
    ] {
        let event = Event::new(kind).add_path(base.join(path));
        assert_eq!(relevance.concerns(&event), matters, "{kind:?} {path}");
    }
    assert!(relevance.concerns(&Event::new(EventKind::Other)), "an overflow may stand for anything");
    assert_eq!(relevance.anchors(), BTreeSet::from([base]));
}
