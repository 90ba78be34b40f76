//! The forms of segments, and where the first frame of each is.

/// How many bytes a header has.
pub(super) const HEADER_BYTES: u64 = 48;
/// How many a header of the older form has.
pub(super) const OLDER_HEADER_BYTES: u64 = 32;

/// The first segments of each form. Versions before this one have made the older
/// forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms {
    /// The first segment with a header.
    pub(super) headed: u64,
    /// The first segment with chained frames.
    pub(super) chained: u64,
}

impl Forms {
    /// The offset of the first frame in segment `number`.
    pub(super) fn first_frame(self, number: u64) -> u64 {
        match number {
            _ if number < self.headed => 0,
            _ if number < self.chained => OLDER_HEADER_BYTES,
            _ => HEADER_BYTES,
        }
    }
}
