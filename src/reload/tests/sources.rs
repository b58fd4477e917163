//! What is read, in which order, and what is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::house::{House, Volume as KubeletVolume, chmod, make_directory, policy, write};
use crate::model::Layer;
use crate::reload::trust::{self, Volume};
use crate::reload::{PolicySource, ReloadOptions, SourceLimits, sources};

fn read(house: &House, options: &ReloadOptions) -> (Vec<String>, Vec<String>) {
    let read = sources::read(&options.sources, &options.limits, &house.path().join("state"));
    let base = format!("{}/", house.path().display());
    let names = read.texts.iter().map(|text| text.name.replace(&base, "")).collect();
    let findings = read.findings.iter().map(|it| format!("{}: {}", it.code, it.message.replace(&base, ""))).collect();
    (names, findings)
}

#[test]
fn yaml_files_are_found_in_order_and_hidden_ones_are_not() {
    let house = House::new();
    make_directory(&house.policies().join("b/deep"));
    make_directory(&house.policies().join(".git"));
    for name in ["c.yaml", "a.yml", "b/deep/x.yaml", "b/y.yml", ".hidden.yaml", ".git/z.yaml", "README.md", "a.yaml~"] {
        house.write(name, "text");
    }
    let (names, findings) = read(&house, &house.options());
    assert_eq!(names, ["policies/a.yml", "policies/b/deep/x.yaml", "policies/b/y.yml", "policies/c.yaml"]);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn a_single_file_is_a_source_and_layers_come_from_configuration() {
    let house = House::new();
    house.write("a.yaml", "a");
    write(&house.path().join("base.conf"), "b");
    let mut options = house.options();
    options.sources.push(PolicySource { path: house.path().join("base.conf"), layer: Layer::System });
    let read = sources::read(&options.sources, &options.limits, &house.path().join("state"));
    let seen: Vec<_> = read.texts.iter().map(|text| (text.layer, &*text.text)).collect();
    assert_eq!(seen, [(Layer::Organisation, "a"), (Layer::System, "b")]);
}

#[test]
fn a_volume_is_read_from_one_generation() {
    let house = House::new();
    let mut volume = KubeletVolume::new(&house.policies());
    volume.publish(&[("a.yaml", "one"), ("b.yaml", "one")]);
    let options = house.options();
    let texts = || {
        let read = sources::read(&options.sources, &options.limits, &house.path().join("state"));
        assert!(read.findings.is_empty(), "{:?}", read.findings);
        read.texts.iter().map(|text| (text.name.to_string(), text.text.to_string())).collect::<Vec<_>>()
    };
    let name = |file: &str| house.policies().join(file).display().to_string();
    assert_eq!(texts(), [(name("a.yaml"), "one".to_owned()), (name("b.yaml"), "one".to_owned())]);
    // The kubelet exchanges `..data` first and makes the links afterwards: what is in the generation counts.
    volume.publish(&[("a.yaml", "two"), ("c.yaml", "two")]);
    fs::remove_file(house.policies().join("c.yaml")).unwrap();
    symlink("..data/b.yaml", house.policies().join("b.yaml")).unwrap();
    assert_eq!(texts(), [(name("a.yaml"), "two".to_owned()), (name("c.yaml"), "two".to_owned())]);
}

#[test]
fn volumes_may_be_mounted_below_a_source() {
    let house = House::new();
    for (name, text) in [("one", "1"), ("two", "2")] {
        KubeletVolume::new(&house.policies().join(name)).publish(&[("a.yaml", text)]);
    }
    let (names, findings) = read(&house, &house.options());
    assert_eq!(names, ["policies/one/a.yaml", "policies/two/a.yaml"]);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn generations_never_mix_while_they_are_exchanged() {
    let house = House::new();
    let root = house.policies();
    let mut volume = KubeletVolume::new(&root);
    volume.publish(&[("a.yaml", "0"), ("b.yaml", "0")]);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 1..300 {
                let text = generation.to_string();
                volume.publish(&[("a.yaml", &text), ("b.yaml", &text)]);
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let options = house.options();
        let mut good = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) || good == 0 {
            let read = sources::read(&options.sources, &options.limits, &house.path().join("state"));
            if read.findings.is_empty() {
                good += 1;
                let texts: Vec<_> = read.texts.iter().map(|text| text.text.clone()).collect();
                assert_eq!(texts.len(), 2);
                assert_eq!(texts[0], texts[1]);
            }
        }
    });
}

/// How to spoil the policies of a house that has a good `a.yaml`, and the findings that follow.
type Spoiling = (&'static str, fn(&House), &'static [&'static str]);

#[test]
fn what_cannot_be_believed_or_read_is_refused() {
    let cases: [Spoiling; 13] = [
        (
            "link out of the source",
            |house| {
                write(&house.path().join("secret.yaml"), policy("x"));
                symlink(house.path().join("secret.yaml"), house.policies().join("b.yaml")).unwrap();
            },
            &["link-outside-source: symbolic link `policies/b.yaml` leads out of its policy source, to `secret.yaml`"],
        ),
        (
            "directory link out of the source",
            |house| {
                make_directory(&house.path().join("elsewhere"));
                symlink("../elsewhere", house.policies().join("more")).unwrap();
            },
            &["link-outside-source: symbolic link `policies/more` leads out of its policy source, to `elsewhere`"],
        ),
        (
            "volume out of the source",
            |house| {
                make_directory(&house.path().join("elsewhere"));
                symlink("../elsewhere", house.policies().join("..data")).unwrap();
            },
            &["link-outside-source: symbolic link `policies/..data` leads out of its policy source, to `elsewhere`"],
        ),
        (
            "dangling link",
            |house| symlink("gone.yaml", house.policies().join("b.yaml")).unwrap(),
            &[
                "dangling-link: symbolic link `policies/b.yaml` cannot be followed: No such file or directory (os error 2)",
            ],
        ),
        (
            "world-writable file",
            |house| chmod(&house.policies().join("a.yaml"), 0o646),
            &["writable-by-others: file `policies/a.yaml` has mode 0646: users other than its owner may change it"],
        ),
        (
            "group-writable directory",
            |house| {
                make_directory(&house.policies().join("sub"));
                chmod(&house.policies().join("sub"), 0o775);
            },
            &[
                "writable-by-others: directory `policies/sub` has mode 0775: users other than its owner may exchange its \
               files",
            ],
        ),
        (
            "sticky root",
            |house| chmod(&house.policies(), 0o1777),
            &[
                "writable-by-others: directory `policies` has mode 1777: users other than its owner may exchange its files",
            ],
        ),
        (
            "not UTF-8",
            |house| write(&house.policies().join("b.yaml"), b"a: 1\nb: \xff\n"),
            &["not-utf8: `policies/b.yaml` is not UTF-8 text: line 2 holds a byte that is not part of a character"],
        ),
        (
            "a socket",
            |house| drop(std::os::unix::net::UnixListener::bind(house.policies().join("b.yaml")).unwrap()),
            &["not-a-file: `policies/b.yaml` is neither a file nor a directory"],
        ),
        (
            "too large",
            |house| write(&house.policies().join("b.yaml"), vec![b'#'; 1001]),
            &["file-too-large: `policies/b.yaml` is larger than 1000 bytes"],
        ),
        (
            "too much",
            |house| {
                for name in ["b.yaml", "c.yaml"] {
                    write(&house.policies().join(name), vec![b'#'; 1000]);
                }
            },
            &["source-too-large: the policy sources hold more than 2000 bytes"],
        ),
        (
            "too many",
            |house| {
                for name in ["b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.yaml"] {
                    house.write(name, "");
                }
            },
            &["source-too-large: the policy sources hold more than 4 files"],
        ),
        (
            "gone",
            |house| fs::remove_dir_all(house.policies()).unwrap(),
            &["source-missing: policy source `policies` does not exist"],
        ),
    ];
    for (name, spoil, expected) in cases {
        let house = House::new();
        house.write("a.yaml", &policy("a"));
        let mut options = house.options();
        options.limits = SourceLimits { files: 4, file_bytes: 1000, total_bytes: 2000, ..SourceLimits::default() };
        assert_eq!(read(&house, &options).1, Vec::<String>::new(), "{name}");
        spoil(&house);
        assert_eq!(read(&house, &options).1, expected, "{name}");
    }
}

#[test]
fn links_inside_the_source_are_followed_once() {
    let house = House::new();
    make_directory(&house.policies().join(".versions/7"));
    house.write(".versions/7/a.yaml", "a");
    house.write("b.yaml", "b");
    symlink(".versions/7", house.policies().join("current")).unwrap();
    symlink("b.yaml", house.policies().join("again.yaml")).unwrap();
    symlink("..", house.policies().join(".versions/7/loop")).unwrap();
    let (names, findings) = read(&house, &house.options());
    assert_eq!(names, ["policies/b.yaml", "policies/current/a.yaml"]);
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn sources_must_not_overlap_and_the_state_directory_is_none() {
    let house = House::new();
    make_directory(&house.policies().join("sub"));
    house.write("sub/a.yaml", "a");
    make_directory(&house.path().join("state/snapshots"));
    write(&house.path().join("state/snapshots/copy.yaml"), "copy");
    let mut options = house.options();
    options.sources.push(PolicySource { path: house.policies().join("sub"), layer: Layer::Tenant });
    assert_eq!(read(&house, &options).1, ["overlapping-sources: `policies/sub/a.yaml` belongs to two policy sources"]);
    options.sources = vec![PolicySource { path: house.path().to_owned(), layer: Layer::Tenant }];
    assert_eq!(read(&house, &options), (vec!["policies/sub/a.yaml".to_owned()], Vec::new()));
    options.sources = vec![PolicySource { path: house.path().join("state"), layer: Layer::Tenant }];
    assert_eq!(read(&house, &options).1, ["source-is-state: policy source `state` is the state directory"]);
}

#[test]
fn directories_of_a_read_only_volume_of_the_kubelet_are_exempt_and_files_are_not() {
    let path = Path::new("/etc/lictor/policies");
    for (mode, volume, is_refused) in [
        (0o755, Volume::Ordinary, false),
        (0o777, Volume::Ordinary, true),
        (0o2775, Volume::Ordinary, true),
        (0o777, Volume::ReadOnlyAtomic, false),
        (0o1777, Volume::ReadOnlyAtomic, false),
    ] {
        let finding = trust::check_directory(path, mode, volume);
        assert_eq!(finding.is_some(), is_refused, "{mode:o} {volume:?}");
    }
    assert!(trust::check_file(path, 0o644).is_none());
    assert!(trust::check_file(path, 0o664).is_some());
    // The layout alone is no exemption: another container may have the volume mounted writable.
    let house = House::new();
    assert_eq!(Volume::of(&house.policies(), true), Volume::Ordinary);
    // The kernel's own read-only mount, where this host has one that can be seen.
    let read_only = ["/proc/sys", "/sys/fs/cgroup", "/sys"].map(Path::new);
    for path in read_only {
        let is_read_only =
            rustix::fs::statvfs(path).is_ok_and(|volume| volume.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        let expected = if is_read_only { Volume::ReadOnlyAtomic } else { Volume::Ordinary };
        assert_eq!(Volume::of(path, true), expected);
        assert_eq!(Volume::of(path, false), Volume::Ordinary);
    }
}
