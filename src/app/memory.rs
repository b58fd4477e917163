//! Keeps the resident memory near to what is in use.

use std::hint::black_box;
use std::time::Duration;

/// Time between two occasions for the allocator to give memory back.
const INTERVAL: Duration = Duration::from_secs(5);
/// Size of the block that is freed on such an occasion: large enough to take the way on which memory is given back. Never
/// touched, so that it costs no memory.
const BLOCK_BYTES: usize = 1 << 20;

/// Asks the kernel for pages of ordinary size only. Huge pages, which some systems give to every large mapping, double
/// what the server takes at rest, and a request touches too little memory to gain from them.
pub fn use_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the kernel may use huge pages, which take more memory");
    }
}

/// Gives memory back that a burst of calls or a reload needed: the allocator returns what has been free for a second, but
/// only when something is freed, which on an idle server nothing is. Never ends.
pub async fn give_back() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        drop(black_box(Vec::<u8>::with_capacity(BLOCK_BYTES)));
    }
}
