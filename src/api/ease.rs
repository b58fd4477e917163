//! Streams and batches decide several times faster than the journal writes. Where records pile up they wait a little, which
//! costs them no more than their speed, instead of having records dropped.

use std::time::Duration;

use crate::event::Recorder;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(1);
/// Most looks: a disk that stands still must not hold decisions up.
const LOOKS: u32 = 20;

/// Waits until the ring has room again, for at most 20 ms.
pub async fn ease(recorder: &Recorder) {
    for _ in 0..LOOKS {
        if !recorder.is_crowded() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
