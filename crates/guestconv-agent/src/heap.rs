//! The heap is kept, not given back: in the appliance's kernel a fresh page costs nine microseconds, six times what it
//! costs on the host. So large buffers come from the heap too, and its first pages are fetched at once.

use rustix::mm::{Advice, madvise};

/// What most runs use. Fetched together, a page costs a third.
const POPULATED_BYTES: usize = 6 << 20;
/// The most that glibc takes from the heap instead of a mapping of its own.
const FROM_HEAP_BYTES: i32 = 32 << 20;

/// Sets up the heap; what fails costs time and nothing else.
pub(crate) fn keep() {
    #[allow(unsafe_code, reason = "glibc's allocator is tuned by a call only")]
    // SAFETY: it is called before any other thread exists, and changes only when memory is given back.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_HEAP_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    let mut room: Vec<u8> = Vec::with_capacity(POPULATED_BYTES);
    let start = room.as_mut_ptr().wrapping_add(PAGE_BYTES).map_addr(|address| address & !(PAGE_BYTES - 1));
    #[allow(unsafe_code, reason = "only this call fetches pages together")]
    // SAFETY: the range is within what was just allocated, and its content is not changed by being fetched.
    let _ = unsafe { madvise(start.cast(), POPULATED_BYTES - 2 * PAGE_BYTES, Advice::LinuxPopulateWrite) };
}

const PAGE_BYTES: usize = 4096;
