//! Memory that is taken in small pages.

/// Takes no transparent huge pages. The allocator asks for them, and then a page of which one allocation is
/// left takes 2 MiB of memory: twice as much in all, for no measurable time.
///
/// An old kernel that cannot do that only costs memory.
pub(crate) fn decline() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory is taken in huge pages, too");
    }
}
