use std::io;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(filter: &str, format: LogFormat, ansi: bool, act: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let dispatch = subscriber(parse(filter).unwrap(), format, move || writer.clone(), ansi);
    tracing::dispatcher::with_default(&dispatch, act);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_event_is_one_line_whatever_it_names() {
    let name = "a\n2026 ERROR fake\r\u{1b}[2J\u{202e}.yaml";
    let act = || tracing::error!(file = %name, count = 2, "refused: {name}");
    let escaped = "a\\n2026 ERROR fake\\r\\u{1b}[2J\\u{202e}.yaml";
    let text = logged("info", LogFormat::Text, false, act);
    assert!(text.ends_with(&format!("ERROR refused: {escaped} file={escaped} count=2\n")), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let coloured = logged("info", LogFormat::Text, true, act);
    assert!(coloured.contains(&format!("\u{1b}[2mfile=\u{1b}[0m{escaped}")), "{coloured}");
    assert!(!coloured.contains("\u{1b}[2J"), "{coloured}");
    let json = logged("info", LogFormat::Json, false, act);
    assert_eq!(json.lines().count(), 1, "{json}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["message"], format!("refused: {name}"));
}

#[test]
fn the_watching_library_is_quiet_unless_asked_for() {
    let act = || {
        tracing::warn!(target: "notify", "unable to remove the path");
        tracing::info!(target: "notify::inotify", "unable to remove watch descriptor");
        tracing::error!(target: "notify::inotify", "broken");
    };
    for format in [LogFormat::Text, LogFormat::Json] {
        for filter in ["info", "warn", "debug,lictor=trace"] {
            let text = logged(filter, format, false, act);
            assert!(!text.contains("unable") && text.contains("broken"), "{filter}: {text}");
        }
        assert!(logged("info,notify=info", format, false, act).contains("unable to remove watch descriptor"));
    }
}
